import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packCheckpoint } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import OpenAI from 'openai';
import { afterAll, expect, it } from 'vitest';
import { renderChart, REPOSITORY_DIR } from '../kit/kubernetes-manifests.js';
import { describeNats, NatsServerProcess } from '../kit/nats-server.js';
import { ExpertmeshProcess, stopAll } from '../kit/process.js';
import { renderedPods, type RenderedPod } from '../kit/rendered-pods.js';
import { tempDir } from '../kit/temp-dir.js';

const SETTINGS =
  'worker.pools[0].name=default,worker.pools[0].replicas=2,coordinator.servedModelName=demo,coordinator.kvCacheBytes=64MB';

// What Kubernetes gives to a pod (volumes, names, ports of its own) is replaced by what this machine has; all else is as rendered.
describeNats('the commands of the rendered chart', () => {
  afterAll(stopAll);

  it('form a cluster that answers, and a worker that is stopped hands its experts over first', async () => {
    const storeDir = join(tempDir(), 'store');
    await packCheckpoint({ hfDir: join(REPOSITORY_DIR, 'models/qwen3-moe-demo'), storeDir, bits: 8, blockSize: 32 });
    const pods = renderedPods(await renderChart('--set', SETTINGS));
    expect(pods.map(({ name }) => name)).toEqual([
      'expertmesh-coordinator-0',
      'expertmesh-nats-0',
      'expertmesh-worker-default-0',
      'expertmesh-worker-default-1',
    ]);

    const nats = await NatsServerProcess.start();
    expect(podOf(pods, 'nats').argv.slice(0, 2)).toEqual(['nats-server', '--jetstream']);
    const onThisMachine = (arg: string): string => {
      if (arg === '/store') return storeDir;
      if (arg === 'nats://expertmesh-nats:4222') return nats.url;
      return /^expertmesh-worker-default-\d\.expertmesh-worker\.default\.svc$/.test(arg) ? '127.0.0.1' : arg;
    };
    const start = ({ argv }: RenderedPod, ports: readonly string[]): ExpertmeshProcess => {
      expect(argv[0]).toBe('expertmesh');
      const args = argv.slice(1).map(onThisMachine);
      return ExpertmeshProcess.start([...args, ...ports, '--num-threads', '1', '--cache-dir', tempDir()]);
    };
    const workers = pods.filter(({ owner }) => owner === 'expertmesh-worker-default');
    const processes = workers.map((pod) => start(pod, ['--port', '0', '--control-port', '0']));
    const coordinator = start(podOf(pods, 'coordinator'), ['--port', '0', '--grpc-port', '0']);
    const { httpPort, grpcPort } = await coordinator.listening('coordinator');
    const url = `http://127.0.0.1:${String(httpPort)}`;
    const readyUrl = `${url}${podOf(pods, 'coordinator').container.readinessProbe.httpGet?.path ?? ''}`;
    await coordinator.until(async () => (await fetch(readyUrl)).ok, 'is ready');
    expect(await answer(url)).toMatch(/132$/);

    const leaving = workers[1];
    const preStop = leaving?.container.lifecycle?.preStop.exec.command ?? [];
    const command = preStop.map((part) =>
      part.replace('expertmesh-coordinator-admin:9000', `127.0.0.1:${String(grpcPort)}`),
    );
    expect(await runWithCommandLine(command, leaving?.env ?? {})).toBe(0);
    expect(await processes[1]?.stop('SIGTERM')).toBe(0);
    expect((await fetch(readyUrl)).ok).toBe(true);
    expect(await answer(url)).toMatch(/132$/);
    await nats.stop();
  }, 120_000);
});

function podOf(pods: readonly RenderedPod[], component: string): RenderedPod {
  const pod = pods.find(({ owner }) => owner === `expertmesh-${component}`);
  if (pod === undefined) throw new Error(`no pod of ${component}`);
  return pod;
}

async function answer(url: string): Promise<string> {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
  const { choices } = await client.chat.completions.create({
    model: 'demo',
    messages: [{ role: 'user', content: 'What is 47 + 85?' }],
    temperature: 0,
    max_completion_tokens: 100,
  });
  return choices[0]?.message.content ?? '';
}

/** Runs a command in an environment where `expertmesh` is on the PATH, as in the image; returns its exit code. */
async function runWithCommandLine(command: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  const binDir = tempDir();
  const main = join(REPOSITORY_DIR, 'packages/cli/bin/expertmesh.js');
  writeFileSync(join(binDir, 'expertmesh'), `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`);
  chmodSync(join(binDir, 'expertmesh'), 0o755);
  const [file = '', ...args] = command;
  const child = spawn(file, args, {
    env: { ...process.env, ...env, PATH: `${binDir}:${process.env['PATH'] ?? ''}` },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code] = (await once(child, 'exit')) as [number];
  return code;
}
