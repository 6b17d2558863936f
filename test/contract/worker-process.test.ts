import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseListening } from '@expertmesh/shared/process/parent-link';
import { ExpertmeshProcess, stopAll } from '@expertmesh/test-kit/process';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { workerArgs } from '@expertmesh/test-kit/worker-fleet';
import { callOf, queueManyCalls, range } from './demo-calls.js';
import { assignment, packDemoStore, startWorker, type DemoStore } from './demo-worker.js';

const CLI = fileURLToPath(new URL('../../packages/cli/dist/main.js', import.meta.url));
let store: DemoStore;

describe('a worker process', () => {
  beforeAll(async () => {
    store = await packDemoStore();
  });

  afterEach(stopAll);

  it('finishes queued calls after SIGTERM, ends the streams and exits with 0', async () => {
    const { worker, client } = await startWorker(store);
    await client.assign(assignment(store, 1, range(0, 64)));
    await client.load(1);
    expect(await client.health('expertmesh.v1.ExpertService')).toBe('SERVING');
    const stream = client.dispatch();
    const calls = await queueManyCalls(client, stream);
    worker.child.kill('SIGTERM');
    await expect.poll(() => client.health(), { interval: 5 }).toBe('NOT_SERVING');
    expect((await client.stats()).state).toBe('WORKER_STATE_DRAINING');
    for (const answer of await Promise.all(calls)) expect(answer.error).toBeNull();
    expect((await stream.ended).code).toBe(status.OK);
    expect(await worker.exited()).toBe(0);
    client.close();
  });

  it('refuses experts over the memory budget before it loads any, and holds none after Unload', async () => {
    const { worker, client } = await startWorker(store, '--memory-budget-bytes', '2MiB', '--ep', 'cpu');
    await expect(client.assign(assignment(store, 1, range(0, 64)))).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: expect.stringMatching(
        /needs about 13\.8 MB of memory, the budget .* is 2\.10 MB: .* --memory-budget-bytes/,
      ) as string,
    });
    expect(await client.stats()).toMatchObject({ state: 'WORKER_STATE_IDLE', numExpertsLoaded: 0 });
    expect(await client.assign(assignment(store, 1, [4, 5]))).toEqual({
      packedBytes: 8 * 49_152,
      memoryBytes: 432_538,
    });
    await client.load(1);
    expect(await client.stats()).toMatchObject({ state: 'WORKER_STATE_SERVING', numExpertsLoaded: 8 });
    await client.unload();
    expect(await client.stats()).toMatchObject({
      state: 'WORKER_STATE_IDLE',
      numExpertsLoaded: 0,
      placementVersion: 0,
    });
    const stream = client.dispatch();
    expect((await stream.call(callOf(0, [[4, 1]]))).error).toMatchObject({
      code: 'failed_precondition',
      missingExpertIds: [4],
    });
    stream.cancel();
    client.close();
    expect(await worker.stop()).toBe(0);
  });

  it('fails the calls that wait when the time to drain is over, and takes no more calls or experts', async () => {
    const { worker, client } = await startWorker(store);
    await client.assign(assignment(store, 1, range(0, 64)));
    await client.load(1);
    const stream = client.dispatch();
    const calls = await queueManyCalls(client, stream);
    const { numFailedCalls } = await client.drain(1);
    const errors = (await Promise.all(calls)).map(({ error }) => error);
    expect(numFailedCalls).toBeGreaterThan(0);
    expect(errors.filter((error) => error?.message.includes('time for queued calls is over'))).toHaveLength(
      numFailedCalls,
    );
    expect(errors[0]).toBeNull();
    const late = await stream.call(callOf(0, [[1, 1]]));
    expect(late.error).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('draining') as string,
    });
    await expect(client.assign(assignment(store, 2, [4]))).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(await client.health('expertmesh.v1.ExpertService')).toBe('NOT_SERVING');
    stream.cancel();
    client.close();
    expect(await worker.stop()).toBe(0);
  });

  it('waits for the calls that wait when it may drain as long as can be said', async () => {
    const { worker, client } = await startWorker(store);
    await client.assign(assignment(store, 1, range(0, 64)));
    await client.load(1);
    const stream = client.dispatch();
    const calls = await queueManyCalls(client, stream);
    expect(await client.drain(2 ** 32 - 1)).toEqual({ numFailedCalls: 0 });
    for (const { error } of await Promise.all(calls)) expect(error).toBeNull();
    stream.cancel();
    client.close();
    expect(await worker.stop()).toBe(0);
  });

  it('ends with code 1 and says why when its compute thread cannot listen', async () => {
    const { client, dataPort } = await startWorker(store);
    const second = ExpertmeshProcess.start(workerArgs(store.dir, ['--port', String(dataPort)]));
    expect(await second.exited()).toBe(1);
    expect(second.output).toMatch(/cannot listen on 127\.0\.0\.1:\d+: .* --port/);
    expect(second.output).not.toContain('compute-thread.js');
    client.close();
  });

  it('ends with code 1 and says why when its compute thread dies', async () => {
    const dieLater = `import { isMainThread } from 'node:worker_threads';
      if (!isMainThread) setTimeout(() => { throw new Error('struck by lightning'); }, 4000);`;
    const preload = join(tempDir(), 'die-later.mjs');
    writeFileSync(preload, dieLater);
    vi.stubEnv('NODE_OPTIONS', `--import=${preload}`);
    const worker = ExpertmeshProcess.start(workerArgs(store.dir));
    vi.unstubAllEnvs();
    await worker.listening('worker');
    expect(await worker.exited()).toBe(1);
    expect(worker.output).toMatch(/the compute thread has died: struck by lightning/);
  });

  it('ends when the process that forked it is killed', async () => {
    const forkWorker = `const { fork } = require('node:child_process');
      const worker = fork(process.argv[1], process.argv.slice(2), { stdio: 'ignore' });
      worker.on('message', (message) => process.send({ pid: worker.pid, message }));`;
    const parent = spawn(process.execPath, ['-e', forkWorker, CLI, ...workerArgs(store.dir)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    try {
      const [{ pid, message }] = (await once(parent, 'message')) as [{ pid: number; message: unknown }];
      expect(parseListening(message, 'worker')).toBeDefined();
      expect(isAlive(pid)).toBe(true);
      parent.kill('SIGKILL');
      await expect.poll(() => isAlive(pid), { timeout: 5000, interval: 20 }).toBe(false);
    } finally {
      parent.kill('SIGKILL');
    }
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
