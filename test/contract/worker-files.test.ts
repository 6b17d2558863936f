import { closeSync, cpSync, openSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stopAll } from '@expertmesh/test-kit/process';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { callOf, range } from './demo-calls.js';
import { assignment, packDemoStore, startWorker, type DemoStore } from './demo-worker.js';
import { type DispatchStream } from './worker-client.js';

const EXPERT = 'experts/layer-000/expert-003.bin';

let whole: DemoStore;
let own: DemoStore;

beforeAll(async () => {
  whole = await packDemoStore();
});

beforeEach(() => {
  own = { dir: join(tempDir(), 'store'), storeId: whole.storeId };
  cpSync(whole.dir, own.dir, { recursive: true });
});

afterEach(stopAll);

const isWhole = (path: string): boolean =>
  readFileSync(join(own.dir, path)).equals(readFileSync(join(whole.dir, path)));

/** As a failing memory or disk does it: in place, in the pages that are mapped. */
function flipBit(path: string): void {
  const fd = openSync(join(own.dir, path), 'r+');
  const byte = new Uint8Array(1);
  readSync(fd, byte, 0, 1, 8_000);
  writeSync(fd, Uint8Array.of((byte[0] ?? 0) ^ 64), 0, 1, 8_000);
  closeSync(fd);
}

const answerOf = async (stream: DispatchStream, expertId: number): Promise<Buffer> => {
  const { error, rows } = await stream.call(callOf(0, [[expertId, 1]]));
  expect(error).toBeNull();
  return rows;
};

describe('a worker whose disk lacks files of the experts that it is to hold', () => {
  it('fetches them from those that the command names, and mends what is damaged', async () => {
    const peer = await startWorker(whole);
    rmSync(join(own.dir, 'experts/layer-001'), { recursive: true });
    flipBit(EXPERT);
    const { worker, client } = await startWorker(own, '--log-level', 'info');
    await client.assign(assignment(own, 1, range(0, 8)));
    await client.load(1, 0, ['127.0.0.1:1', `127.0.0.1:${String(peer.controlPort)}`]);
    expect(await client.stats()).toMatchObject({ state: 'WORKER_STATE_SERVING', numExpertsLoaded: 32 });
    for (const path of [EXPERT, ...range(0, 8).map((id) => `experts/layer-001/expert-00${String(id)}.bin`)])
      expect(isWhole(path)).toBe(true);
    expect(worker.output).toMatch(/expert-003\.bin.*a file is in its place again/);
  });

  it('says what nobody has, or nobody can be asked for, and of whom it was asked', async () => {
    rmSync(join(own.dir, EXPERT));
    const { client } = await startWorker(own);
    await client.assign(assignment(own, 1, range(0, 8)));
    await expect(client.load(1)).rejects.toMatchObject({ code: status.NOT_FOUND });
    await expect(client.load(1, 0, ['127.0.0.1:1'])).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringMatching(
        /nobody can be asked for experts\/layer-000\/expert-003\.bin .*127\.0\.0\.1:1/,
      ) as string,
    });
  });

  it('says when it is its own disk that cannot be written', async () => {
    const peer = await startWorker(whole);
    rmSync(join(own.dir, 'experts/layer-001'), { recursive: true });
    writeFileSync(join(own.dir, 'experts/layer-001'), 'not a directory');
    const { client } = await startWorker(own);
    await client.assign(assignment(own, 1, range(0, 8)));
    await expect(client.load(1, 0, [`127.0.0.1:${String(peer.controlPort)}`])).rejects.toMatchObject({
      details: expect.stringMatching(/expert-000\.bin.* cannot be written/) as string,
    });
  });
});

describe('a worker whose weights in memory are damaged', () => {
  it('finds the bit, computes with the expert no more, and serves it again from a peer', async () => {
    const peer = await startWorker(whole);
    const { worker, client } = await startWorker(own, '--scrub-bytes-per-second', '100MB', '--log-level', 'info');
    await client.assign(assignment(own, 1, range(0, 8)));
    await client.load(1);
    const stream = client.dispatch();
    const before = await answerOf(stream, 3);
    await expect.poll(async () => (await client.stats()).scrubbedBytes).toBeGreaterThan(0);
    flipBit(EXPERT);
    await expect.poll(async () => (await client.stats()).numDamagedExperts, { timeout: 10_000 }).toBe(1);
    expect((await stream.call(callOf(0, [[3, 1]]))).error).toMatchObject({
      code: 'failed_precondition',
      missingExpertIds: [3],
    });
    expect(await client.stats()).toMatchObject({
      numExpertsLoaded: 31,
      numWithdrawnExperts: 1,
      lastDamage: expect.stringMatching(/expert-003\.bin has sha256/) as string,
      shards: [
        { layerIndex: 0, expertIds: [0, 1, 2, 4, 5, 6, 7] },
        { layerIndex: 1 },
        { layerIndex: 2 },
        { layerIndex: 3 },
      ],
    });
    await answerOf(stream, 4);
    expect(worker.output).toMatch(/expert-003\.bin has sha256 .* the expert is withdrawn/);
    await client.load(1, 0, [`127.0.0.1:${String(peer.controlPort)}`]);
    expect(await answerOf(stream, 3)).toEqual(before);
    expect(isWhole(EXPERT)).toBe(true);
    expect(await client.stats()).toMatchObject({
      numExpertsLoaded: 32,
      numDamagedExperts: 1,
      numWithdrawnExperts: 0,
    });
    stream.cancel();
  });

  it('leaves the expert out while nobody has it', async () => {
    const { client } = await startWorker(own, '--scrub-bytes-per-second', '100MB');
    await client.assign(assignment(own, 1, [3]));
    await client.load(1);
    flipBit(EXPERT);
    await expect.poll(async () => (await client.stats()).numDamagedExperts, { timeout: 10_000 }).toBe(1);
    await expect(client.load(1)).rejects.toMatchObject({ code: status.NOT_FOUND });
    expect(await client.stats()).toMatchObject({ numExpertsLoaded: 3, numWithdrawnExperts: 1 });
  });
});
