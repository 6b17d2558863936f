import { once } from 'node:events';
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expertBlobPath } from '@expertmesh/shared/expert-store/blob-path';
import { decodeFp16, encodeFp16 } from '@expertmesh/shared/expert-store/half-precision';
import { DispatchResponse } from '@expertmesh/shared/gen/expertmesh/v1/expert';
import { checksumField } from '@expertmesh/shared/rpc/dispatch-checksum';
import { pause, type ExpertmeshProcess } from '@expertmesh/test-kit/process';
import { callOf, floatsOf, HIDDEN, longCall, NUM_LAYERS, range, sendManyCalls } from './demo-calls.js';
import { assignment, DEMO_MODEL_DIR, packDemoStore, startWorker, type DemoStore } from './demo-worker.js';
import { ReferenceExperts } from './reference-experts.js';
import { WorkerClient, type AssignRequest, type DispatchRequest } from './worker-client.js';

const reference = new ReferenceExperts(DEMO_MODEL_DIR);
let store: DemoStore;

describe('WorkerService and ExpertService of a worker that serves', () => {
  let worker: ExpertmeshProcess;
  let client: WorkerClient;

  beforeAll(async () => {
    store = await packDemoStore();
    ({ worker, client } = await startWorker(store));
    await client.assign(assignment(store, 1, range(0, 64)));
    await client.load(1);
  });

  afterAll(async () => {
    client.close();
    expect(await worker.stop()).toBe(0);
  });

  it('computes what the formula says, from the weights of the checkpoint', async () => {
    const stream = client.dispatch();
    for (const layerIndex of range(0, NUM_LAYERS)) {
      const call = callOf(layerIndex, [
        [0, 0.5, 3, 0.25, 63, 0.25],
        [17, 1],
        [3, 0.9, 17, -0.1],
      ]);
      const answer = await stream.call(call);
      expect(answer).toMatchObject({ error: null, numRows: 3, numPairs: 6, layerIndex, placementVersion: 1 });
      expect(answer.rowDtype).toBe('ROW_DTYPE_FP32');
      expect(largestDifference(floatsOf(answer.rows), reference.sums(call))).toBeLessThan(1e-4);
    }
    stream.end();
    expect((await stream.ended).code).toBe(status.OK);
  });

  it('answers fp16 rows in fp16', async () => {
    const stream = client.dispatch();
    const call = callOf(1, [
      [5, 0.5, 9, 0.5],
      [9, 1],
    ]);
    const half = new Uint16Array(2 * HIDDEN);
    encodeFp16(floatsOf(call.rows), half);
    const answer = await stream.call({ ...call, rowDtype: 'ROW_DTYPE_FP16', rows: Buffer.from(half.buffer) });
    expect(answer).toMatchObject({ error: null, rowDtype: 'ROW_DTYPE_FP16' });
    const sums = new Float32Array(2 * HIDDEN);
    decodeFp16(new Uint16Array(Uint8Array.from(answer.rows).buffer), sums);
    expect(largestDifference(sums, reference.sums(call))).toBeLessThan(2e-2);
    stream.cancel();
  });

  it('computes calls that wait together, also those of two coordinators, and each as if it were alone', async () => {
    const other = new WorkerClient({
      dataPort: (await client.stats()).dataPort,
      controlPort: 1,
      storeId: store.storeId,
    });
    const streams = [client.dispatch(), other.dispatch()];
    const call = callOf(2, [[1, 0.5, 2, 0.5]]);
    const answers = await Promise.all([
      streams[0]?.call(longCall()),
      ...range(0, 40).map((i) => streams[i % 2]?.call(call)),
    ]);
    const sums = reference.sums(call);
    for (const answer of answers.slice(1)) {
      expect(answer?.error).toBeNull();
      expect(largestDifference(floatsOf(answer?.rows ?? Buffer.alloc(0)), sums)).toBeLessThan(1e-4);
    }
    expect(Math.max(...answers.map((answer) => answer?.numCallsTogether ?? 0))).toBeGreaterThan(1);
    for (const stream of streams) stream.cancel();
    other.close();
  });

  it('answers health and stats at once while it computes', async () => {
    const stream = client.dispatch();
    const computed = Promise.all(sendManyCalls(stream));
    const isComputed = settled(computed);
    await expect.poll(async () => (await client.stats()).numQueuedCalls, { interval: 5 }).toBeGreaterThan(0);
    const timesMs: number[] = [];
    while (!isComputed() && timesMs.length < 10) {
      const startMs = performance.now();
      expect(await client.health()).toBe('SERVING');
      timesMs.push(performance.now() - startMs);
      await pause(10);
    }
    expect(timesMs.length).toBeGreaterThan(3);
    // The median, as this test shares its cores with others.
    expect(timesMs.sort((a, b) => a - b)[Math.floor(timesMs.length / 2)]).toBeLessThan(50);
    for (const answer of await computed) expect(answer.error).toBeNull();
    stream.cancel();
  });

  describe('refuses with an answer, and the stream goes on, for', () => {
    const good = callOf(0, [[1, 0.5, 2, 0.5]]);
    const refusals: [what: string, change: Partial<DispatchRequest>, code: string, message: RegExp][] = [
      ['an expert that does not exist', { expertIds: [1, 128] }, 'invalid_argument', /expert 128 does not exist/],
      ['a weight that is NaN', { routingWeights: [NaN, 1] }, 'invalid_argument', /routing_weights\[0\] is NaN/],
      [
        'rows of another model',
        { hiddenSize: 64, rows: Buffer.alloc(256) },
        'invalid_argument',
        /hidden_size is 64, the loaded model has 128/,
      ],
      ['rows that are too short', { rows: Buffer.alloc(8) }, 'invalid_argument', /rows has 8 bytes/],
      ['offsets that leave pairs over', { rowOffsets: [0, 1] }, 'invalid_argument', /row_offsets/],
      ['weights that are missing', { routingWeights: [1] }, 'invalid_argument', /routing_weights/],
      ['no row dtype', { rowDtype: 'ROW_DTYPE_UNSPECIFIED' }, 'invalid_argument', /row_dtype/],
      ['no rows', { numRows: 0, rows: Buffer.alloc(0) }, 'invalid_argument', /num_rows \(0\)/],
    ];
    it.each(refusals)('%s', async (_, change, code, message) => {
      const stream = client.dispatch();
      const refused = await stream.call({ ...good, ...change });
      expect(refused.error).toEqual({ code, message: expect.stringMatching(message) as string, missingExpertIds: [] });
      expect(refused.rows).toHaveLength(0);
      expect((await stream.call(good)).error).toBeNull();
      stream.cancel();
    });
  });

  it('names the experts of a call that it does not hold, whatever layer and version it is for', async () => {
    const stream = client.dispatch();
    const elsewhere = await stream.call(callOf(0, [[1, 0.5, 64, 0.25, 127, 0.25]]));
    expect(elsewhere.error).toEqual({
      code: 'failed_precondition',
      message: expect.stringMatching(/expert 64 and 1 more of layer 0 is not on this worker/) as string,
      missingExpertIds: [64, 127],
    });
    expect((await stream.call(callOf(4, [[1, 1]]))).error).toMatchObject({ missingExpertIds: [1] });
    expect(await stream.call({ ...callOf(0, [[1, 1]]), placementVersion: 9 })).toMatchObject({
      error: null,
      placementVersion: 9,
    });
    stream.cancel();
  });

  it('refuses assignments that cannot be, and goes on serving', async () => {
    const shards = (layerIndex: number, ...expertIds: number[]): AssignRequest => ({
      placementVersion: 2,
      storeId: store.storeId,
      shards: [{ layerIndex, expertIds }],
    });
    await expect(client.assign({ ...shards(0, 1), storeId: 'ab12' })).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: expect.stringMatching(/for store ab12, this worker reads store/) as string,
    });
    for (const wrong of [shards(4, 1), shards(0, 2, 1), shards(0, 128), shards(0)])
      await expect(client.assign(wrong)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    await expect(client.load(2)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    expect(await client.stats()).toMatchObject({ state: 'WORKER_STATE_SERVING', placementVersion: 1 });
  });

  it('counts what it does', async () => {
    const before = await client.stats();
    const stream = client.dispatch();
    await stream.call(
      callOf(0, [
        [1, 1, 2, 1],
        [3, 1],
      ]),
    );
    await stream.call(callOf(9, [[1, 1]]));
    stream.cancel();
    const after = await client.stats();
    expect(after.numCalls - before.numCalls).toBe(2);
    expect(after.numFailedCalls - before.numFailedCalls).toBe(1);
    expect(after.numPairs - before.numPairs).toBe(3);
    expect(after.numRuns - before.numRuns).toBe(1);
    expect(after.computeUs).toBeGreaterThan(before.computeUs);
    expect(after).toMatchObject({
      bootId: before.bootId,
      storeId: store.storeId,
      numExpertsLoaded: NUM_LAYERS * 64,
      numQueuedCalls: 0,
    });
    expect(after.residentBytes).toBeGreaterThan(after.packedBytes);
    expect(after.shards).toEqual(assignment(store, 1, range(0, 64)).shards);
  });

  it('refuses a damaged blob by its hash and serves on; when that is whole again, the load goes on', async () => {
    const blob = join(store.dir, expertBlobPath(3, 127));
    const next = assignment(store, 2, range(64, 128));
    await client.assign(next);
    flipByte(blob);
    await expect(client.load(2)).rejects.toMatchObject({
      code: status.DATA_LOSS,
      details: expect.stringMatching(/expert-127\.bin has sha256 .*, the manifest says/) as string,
    });
    expect(await client.stats()).toMatchObject({ state: 'WORKER_STATE_SERVING', placementVersion: 1 });
    const stream = client.dispatch();
    expect((await stream.call(callOf(0, [[1, 1]]))).error).toBeNull();
    flipByte(blob);
    const progress = await client.load(2);
    expect(progress.at(-1)).toMatchObject({ loadedLayers: NUM_LAYERS, totalLayers: NUM_LAYERS });
    expect(progress.at(-1)?.loadedBytes).toBe(progress.at(-1)?.totalBytes);
    const call = { ...callOf(3, [[127, 1]]), placementVersion: 2 };
    expect(largestDifference(floatsOf((await stream.call(call)).rows), reference.sums(call))).toBeLessThan(1e-4);
    expect((await stream.call(callOf(0, [[1, 1]]))).error).toMatchObject({ missingExpertIds: [1] });
    stream.cancel();
    await client.assign(assignment(store, 1, range(0, 64)));
    await client.load(1);
  });

  it('answers bytes that are damaged, and ends a stream whose bytes are no call, and no other', async () => {
    const { dataPort } = await client.stats();
    const good = client.dispatch();
    const raw = new Client(`127.0.0.1:${String(dataPort)}`, credentials.createInsecure());
    const same = (bytes: Buffer): Buffer => bytes;
    const bad = raw.makeBidiStreamRequest('/expertmesh.v1.ExpertService/Dispatch', same, same);
    const ended = new Promise<number>((resolve) => {
      bad.on('error', ({ code }: ServiceError) => {
        resolve(code);
      });
    });
    const noCall = Buffer.of(0x3a, 0xff);
    const answered = once(bad, 'data') as Promise<[Buffer]>;
    bad.write(noCall);
    const [answer] = await answered;
    expect(DispatchResponse.decode(answer).error?.code).toBe('data_loss');
    bad.write(Buffer.concat([noCall, checksumField(noCall)]));
    expect(await ended).not.toBe(status.OK);
    expect((await good.call(callOf(0, [[1, 1]]))).error).toBeNull();
    good.cancel();
    raw.close();
  });
});

function largestDifference(actual: ArrayLike<number>, expected: readonly number[]): number {
  expect(actual.length).toBe(expected.length);
  return Math.max(...expected.map((value, i) => Math.abs(value - (actual[i] ?? NaN))));
}

/** Tells whether a promise has ended. */
function settled(promise: Promise<unknown>): () => boolean {
  let isSettled = false;
  const settle = (): void => {
    isSettled = true;
  };
  promise.then(settle, settle);
  return () => isSettled;
}

/** Inverts the last byte of a file; twice is as before. */
function flipByte(path: string): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  const position = fstatSync(file).size - 1;
  readSync(file, byte, 0, 1, position);
  writeSync(file, Buffer.of((byte[0] ?? 0) ^ 0xff), 0, 1, position);
  closeSync(file);
}
