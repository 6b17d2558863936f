import { status } from '@grpc/grpc-js';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stopAll } from '@expertmesh/test-kit/process';
import { callOf, floatsOf, NUM_LAYERS, queueManyCalls, range, type Call } from './demo-calls.js';
import { assignment, DEMO_MODEL_DIR, packDemoStore, startWorker, type DemoStore } from './demo-worker.js';
import { ReferenceExperts } from './reference-experts.js';
import { type DispatchStream, type WorkerClient } from './worker-client.js';

const reference = new ReferenceExperts(DEMO_MODEL_DIR);
let store: DemoStore;

async function expectRightAnswer(stream: DispatchStream, call: Call): Promise<void> {
  const answer = await stream.call(call);
  expect(answer).toMatchObject({ error: null, placementVersion: call.placementVersion });
  for (const [index, expected] of reference.sums(call).entries())
    expect(floatsOf(answer.rows)[index]).toBeCloseTo(expected, 3);
}

async function hold(client: WorkerClient, placementVersion: number, expertIds: number[], epoch = 0): Promise<void> {
  await client.assign({ ...assignment(store, placementVersion, expertIds), epoch });
  await client.load(placementVersion, epoch);
}

describe('a worker whose experts change', () => {
  beforeAll(async () => {
    store = await packDemoStore();
  });

  afterEach(stopAll);

  it('answers without a pause for what both placements give it, and for new experts once they are loaded', async () => {
    const { client } = await startWorker(store);
    await hold(client, 1, range(0, 48));
    const stream = client.dispatch();
    const change = new AbortController();
    let numAnswered = 0;
    const calling = (async () => {
      for (; !change.signal.aborted; numAnswered += 1)
        await expectRightAnswer(stream, {
          ...callOf(numAnswered % NUM_LAYERS, [[32, 0.5, 40, 0.5]]),
          placementVersion: 1 + (numAnswered % 2),
        });
    })();
    await client.assign(assignment(store, 2, range(32, 80)));
    expect((await stream.call(callOf(1, [[79, 1]]))).error).toMatchObject({ missingExpertIds: [79] });
    await expectRightAnswer(stream, callOf(1, [[0, 1]]));
    await client.load(2);
    const numDuringLoad = numAnswered;
    await expectRightAnswer(stream, { ...callOf(1, [[79, 1]]), placementVersion: 1 });
    expect((await stream.call(callOf(1, [[0, 1]]))).error).toMatchObject({ missingExpertIds: [0] });
    await expect.poll(() => numAnswered).toBeGreaterThan(numDuringLoad);
    change.abort();
    await calling;
    expect(numDuringLoad).toBeGreaterThan(0);
    stream.cancel();
    client.close();
  });

  it('finishes the calls that it took before a layer left it, and ends the load only then', async () => {
    const { client } = await startWorker(store);
    await hold(client, 1, range(0, 64));
    const stream = client.dispatch();
    const calls = await queueManyCalls(client, stream);
    await hold(client, 2, [100]);
    expect(await client.stats()).toMatchObject({ numQueuedCalls: 0, numFailedCalls: 0 });
    for (const { error } of await Promise.all(calls)) expect(error).toBeNull();
    expect((await stream.call(callOf(3, [[1, 1]]))).error).toMatchObject({ missingExpertIds: [1] });
    stream.cancel();
    client.close();
  });

  it('holds nothing when nothing is assigned, and says what it holds', async () => {
    const { client } = await startWorker(store);
    await hold(client, 1, [3, 5]);
    expect((await client.stats()).shards).toEqual(
      range(0, NUM_LAYERS).map((layerIndex) => ({ layerIndex, expertIds: [3, 5] })),
    );
    await client.assign({ ...assignment(store, 2, []), shards: [] });
    expect(await client.load(2)).toMatchObject([{ totalLayers: 0 }]);
    expect(await client.stats()).toMatchObject({ state: 'WORKER_STATE_SERVING', placementVersion: 2, shards: [] });
    client.close();
  });

  it('obeys the newest leader that it has heard of, and no former one', async () => {
    const { client } = await startWorker(store);
    await hold(client, 1, [3], 7);
    const refusal = {
      code: status.FAILED_PRECONDITION,
      details: expect.stringMatching(/of epoch 6, epoch 7 commands this worker/) as string,
    };
    await expect(client.assign({ ...assignment(store, 2, [4]), epoch: 6 })).rejects.toMatchObject(refusal);
    await expect(client.load(1, 6)).rejects.toMatchObject(refusal);
    await expect(client.unload(6)).rejects.toMatchObject(refusal);
    await expect(client.unload()).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    expect(await client.stats()).toMatchObject({ epoch: 7, placementVersion: 1, numExpertsLoaded: NUM_LAYERS });
    await hold(client, 2, [4], 8);
    expect((await client.stats()).epoch).toBe(8);
    client.close();
  });

  it('counts against its budget what lies in memory twice during a change', async () => {
    // An expert has 49,152 bytes in each of 4 layers, and a twentieth more for rows in flight: the budget is for 5 of
    // them.
    const { client } = await startWorker(store, '--ep', 'native', '--memory-budget-bytes', '1032200');
    await hold(client, 1, [1, 2, 3]);
    await hold(client, 2, [2, 3, 4, 5]);
    await expect(client.assign(assignment(store, 3, [4, 5, 6, 7]))).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: expect.stringMatching(/beside 413 kB that must serve until it is loaded/) as string,
    });
    client.close();
  });

  it('says what it can do, and learns from its calls what an expert and a token cost', async () => {
    const { client } = await startWorker(store, '--ep', 'native');
    await hold(client, 1, range(0, 64));
    const before = (await client.stats()).capacity;
    expect(before).toMatchObject({ provider: 'native', numCores: 1, secondsPerActiveExpert: 0, secondsPerToken: 0 });
    expect(before.expertMemoryBytes).toBe(Math.ceil(49_152 * 1.05));
    expect(before.failureDomain).not.toBe('');
    await expect.poll(async () => (await client.stats()).capacity.memoryBytesPerSecond).toBeGreaterThan(1e8);
    const stream = client.dispatch();
    const oneToken = callOf(0, [range(0, 8).flatMap((expertId) => [expertId, 1 / 8])]);
    const manyTokens = callOf(1, Array<number[]>(200).fill(range(0, 8).flatMap((expertId) => [expertId, 1 / 8])));
    for (let i = 0; i < 32; i += 1) for (const call of [oneToken, manyTokens]) await stream.call(call);
    const { secondsPerActiveExpert, secondsPerToken } = (await client.stats()).capacity;
    expect(secondsPerActiveExpert).toBeGreaterThan(0);
    expect(secondsPerToken).toBeGreaterThan(0);
    expect(secondsPerToken).toBeLessThan(secondsPerActiveExpert);
    stream.cancel();
    client.close();
  });
});
