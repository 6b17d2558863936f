import { join } from 'node:path';
import { packCheckpoint } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { RpcClient } from '@expertmesh/shared/rpc/client';
import { checkHealth } from '@expertmesh/shared/rpc/health';
import OpenAI from 'openai';
import { afterAll, expect, it } from 'vitest';
import { renderChart, REPOSITORY_DIR } from '@expertmesh/test-kit/kubernetes-manifests';
import { describeNats, NatsServerProcess } from '@expertmesh/test-kit/nats-server';
import { runPreStop } from '@expertmesh/test-kit/pre-stop';
import { ExpertmeshProcess, stopAll } from '@expertmesh/test-kit/process';
import { renderedPods, type RenderedPod } from '@expertmesh/test-kit/rendered-pods';
import { tempDir } from '@expertmesh/test-kit/temp-dir';

const SETTINGS =
  'worker.pools[0].name=default,worker.pools[0].replicas=3,' +
  'coordinator.servedModelName=demo,coordinator.kvCacheBytes=64MB';

// What Kubernetes gives to a pod (volumes, names, ports of its own) is replaced by what this machine has; all else is
// as rendered.
describeNats('the commands of the rendered chart', () => {
  afterAll(stopAll);

  it('form a cluster that answers, and workers that are stopped at once hand their experts over first', async () => {
    const storeDir = join(tempDir(), 'store');
    await packCheckpoint({ hfDir: join(REPOSITORY_DIR, 'models/qwen3-moe-demo'), storeDir, bits: 8, blockSize: 32 });
    const pods = renderedPods(await renderChart('--set', SETTINGS));
    expect(pods.map(({ name }) => name)).toEqual([
      'expertmesh-coordinator-0',
      'expertmesh-nats-0',
      'expertmesh-worker-default-0',
      'expertmesh-worker-default-1',
      'expertmesh-worker-default-2',
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
    for (const [index, worker] of processes.entries())
      expect(await isReady(workers[index], (await worker.listening('worker')).controlPort)).toBe(true);
    const coordinator = start(podOf(pods, 'coordinator'), ['--port', '0', '--grpc-port', '0']);
    const { httpPort, grpcPort } = await coordinator.listening('coordinator');
    const url = `http://127.0.0.1:${String(httpPort)}`;
    const readyUrl = `${url}${podOf(pods, 'coordinator').container.readinessProbe.httpGet?.path ?? ''}`;
    await coordinator.until(async () => (await fetch(readyUrl)).ok, 'is ready');
    expect(await answer(url)).toMatch(/132$/);

    const expertmesh = `exec "${process.execPath}" "${join(REPOSITORY_DIR, 'packages/cli/bin/expertmesh.js')}" "$@"`;
    const leave = async (index: number): Promise<(number | null | undefined)[]> => {
      const pod = podOf(pods, 'worker-default', index);
      const overrides = { EXPERTMESH_COORDINATOR: `127.0.0.1:${String(grpcPort)}` };
      return [await runPreStop(pod, { expertmesh }, overrides), await processes[index]?.stop('SIGTERM')];
    };
    expect(await Promise.all([leave(1), leave(2)])).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect((await fetch(readyUrl)).ok).toBe(true);
    expect(await answer(url)).toMatch(/132$/);
    await nats.stop();
  }, 120_000);
});

function podOf(pods: readonly RenderedPod[], component: string, index = 0): RenderedPod {
  const pod = pods.find(({ name }) => name === `expertmesh-${component}-${String(index)}`);
  if (pod === undefined) throw new Error(`no pod ${String(index)} of ${component}`);
  return pod;
}

/** What the readiness probe of a worker says. */
async function isReady(pod: RenderedPod | undefined, controlPort: number): Promise<boolean> {
  const client = new RpcClient(`127.0.0.1:${String(controlPort)}`, 'worker');
  try {
    const service = pod?.container.readinessProbe.grpc?.service ?? '';
    return await checkHealth(client, service, { deadlineMs: 10_000, signal: new AbortController().signal });
  } finally {
    client.close();
  }
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
