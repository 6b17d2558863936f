import { closeSync, cpSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packDemoStore } from '@expertmesh/test-kit/demo-store';
import { eventually } from '@expertmesh/test-kit/eventually';
import { ExpertmeshProcess, stopAll } from '@expertmesh/test-kit/process';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { workerArgs } from '@expertmesh/test-kit/worker-fleet';

const SCRUB = ['--scrub-bytes-per-second', '100MB'];
const EXPERTS = Array.from({ length: 128 }, (_, id) => `experts/layer-000/expert-${String(id).padStart(3, '0')}.bin`);

/** In place, in the pages that processes have mapped. */
function flipBits(file: string): void {
  const fd = openSync(file, 'r+');
  const bytes = new Uint8Array(512);
  readSync(fd, bytes, 0, bytes.length, 4_096);
  writeSync(
    fd,
    bytes.map((byte) => byte ^ 64),
    0,
    bytes.length,
    4_096,
  );
  closeSync(fd);
}

interface WorkerJson {
  readonly workerId: string;
  readonly reason: string;
  readonly numDamagedExperts: number;
  readonly numWithdrawnExperts: number;
  readonly lastDamage: string;
}

describe('weights that are damaged while they are served', () => {
  const storeDirs = ['coordinator', 'worker-1', 'worker-2'].map((name) => join(tempDir(), name));
  const [coordinatorDir = '', workerDir = ''] = storeDirs;
  let worker: ExpertmeshProcess;
  let coordinator: ExpertmeshProcess;
  let url = '';
  let grpcAddress = '';

  const answer = async (): Promise<string> => {
    const response = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'demo', prompt: 'What is 47 + 85?', temperature: 0, max_tokens: 24 }),
    });
    expect(response.status).toBe(200);
    const { choices } = (await response.json()) as { choices: { text: string }[] };
    return choices[0]?.text ?? '';
  };

  beforeAll(async () => {
    const packed = await packDemoStore();
    for (const dir of storeDirs) cpSync(packed, dir, { recursive: true });
    const workers = storeDirs.slice(1).map((dir) => ExpertmeshProcess.start(workerArgs(dir, SCRUB)));
    worker = workers[0] ?? expect.fail('no worker');
    const ports = await Promise.all(workers.map((process) => process.listening('worker')));
    const addresses = ports.map(({ controlPort }) => `127.0.0.1:${String(controlPort)}`).join(',');
    coordinator = ExpertmeshProcess.start(
      ['coordinator', '--store', coordinatorDir, '--workers', addresses, '--host', '127.0.0.1', '--port', '0'].concat([
        ...['--grpc-port', '0', '--served-model-name', 'demo', '--num-threads', '1', ...SCRUB],
      ]),
    );
    const { httpPort, grpcPort } = await coordinator.listening('coordinator');
    grpcAddress = `127.0.0.1:${String(grpcPort)}`;
    url = `http://127.0.0.1:${String(httpPort)}`;
    await coordinator.until(async () => (await fetch(`${url}/health/ready`)).ok, 'is ready');
  });
  afterAll(stopAll);

  it('are found in a worker, and served again from another copy, with the same answers', async () => {
    const before = await answer();
    for (const path of EXPERTS.slice(0, 8)) flipBits(join(workerDir, path));
    await worker.until(() => worker.output.includes('the expert is withdrawn'), 'finds the damage', 15_000);
    const isMended = (): boolean =>
      EXPERTS.slice(0, 8).every((path) =>
        readFileSync(join(workerDir, path)).equals(readFileSync(join(coordinatorDir, path))),
      );
    await worker.until(isMended, 'mends its files', 15_000);
    await coordinator.until(async () => (await fetch(`${url}/health/ready`)).ok, 'is ready again', 15_000);
    expect(await answer()).toBe(before);
  });

  it('are shown to operators: by commands, readiness and metrics', async () => {
    const numDamaged = 8;
    const listed = async (): Promise<WorkerJson> => {
      const response = await fetch(`${url}/admin/v1/workers`);
      const { workers } = (await response.json()) as { workers: WorkerJson[] };
      return workers.find(({ numDamagedExperts }) => numDamagedExperts > 0) ?? expect.fail('no worker has any');
    };
    // By the next heartbeat.
    await eventually(async () => {
      expect(await listed()).toMatchObject({ numDamagedExperts: numDamaged, numWithdrawnExperts: 0, reason: '' });
    }, 10_000);
    expect((await listed()).lastDamage).toMatch(/^experts\/layer-000\/expert-00\d\.bin has sha256/);
    const command = ExpertmeshProcess.start(['workers', 'list', '--coordinator', grpcAddress]);
    expect(await command.exited()).toBe(0);
    expect(command.output).toMatch(/ up .* 8 *\n/);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const label = `worker="${(await listed()).workerId}"`;
    expect(metrics).toContain(`expertmesh:worker_damaged_experts_total{${label}} ${String(numDamaged)}\n`);
    expect(metrics).toContain(`expertmesh:worker_withdrawn_experts{${label}} 0\n`);
    expect(metrics).toMatch(new RegExp(`worker_scrubbed_bytes_total\\{${label}\\} [1-9]`));
    // No copy is right any more, so it cannot be mended.
    for (const dir of storeDirs) flipBits(join(dir, EXPERTS[9] ?? ''));
    await eventually(async () => {
      const holders = (await (await fetch(`${url}/health/ready`)).json()) as { details: { impaired: unknown[] } };
      expect(holders.details.impaired).toMatchObject([{ reason: 'damaged in memory and withdrawn: 1 expert' }]);
      const text = await (await fetch(`${url}/metrics`)).text();
      expect(text).toMatch(/expertmesh:worker_withdrawn_experts\{worker="[^"]+"\} 1\n/);
    }, 20_000);
  });

  it('end a coordinator whose own they are, which says what to do and does not start again with them', async () => {
    flipBits(join(coordinatorDir, 'dense/layer-001.bin'));
    expect(await coordinator.exited()).toBe(1);
    expect(coordinator.output).toMatch(/dense\/layer-001\.bin has sha256 .* "expertmesh store repair" mends the file/);
    const again = ExpertmeshProcess.start([
      ...['coordinator', '--store', coordinatorDir, '--workers', '127.0.0.1:1', '--host', '127.0.0.1', '--port', '0'],
      ...['--grpc-port', '0', '--num-threads', '1'],
    ]);
    expect(await again.exited()).toBe(1);
    expect(again.output).toMatch(/layer-001\.bin has sha256/);
  });
});
