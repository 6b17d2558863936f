import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { closeComputeBackend, createComputeBackend } from '@expertmesh/compute/compute-backend';
import {
  GrpcExpertDispatcher,
  type GrpcExpertDispatcherOptions,
} from '@expertmesh/coordinator/dispatch/grpc-expert-dispatcher';
import { type LayerCall, type LayerResult } from '@expertmesh/coordinator/dispatch/expert-dispatcher';
import { storedReference } from '@expertmesh/coordinator/dispatch/stored-reference';
import { type WrongAnswerKind } from '@expertmesh/coordinator/dispatch/wrong-answer-error';
import { connectionOpeners } from '@expertmesh/coordinator/serving/connection-openers';
import { openExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { seededRandom } from '@expertmesh/shared/random/seeded-random';
import { storeIdOfCalls } from '@expertmesh/shared/rpc/dispatch-message';

import { DispatchProxy } from '@expertmesh/test-kit/dispatch-proxy';
import { eventually } from '@expertmesh/test-kit/eventually';
import { flippingBits, rewritingAnswers, rewritingCalls } from '@expertmesh/test-kit/message-faults';
import { type ExpertmeshProcess, stopAll } from '@expertmesh/test-kit/process';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { HIDDEN, NUM_LAYERS, range } from './demo-calls.js';
import { assignment, packDemoStore, startWorker, type DemoStore } from './demo-worker.js';
import { type WorkerClient } from './worker-client.js';

const NUM_EXPERTS = 128;
const WORKER_IDS = ['a', 'b'];

/** Everything on both, so that what one answers the other would. */
const EVERYTHING_TWICE: Placement = {
  version: 1,
  numExperts: NUM_EXPERTS,
  workerIds: WORKER_IDS,
  replicas: new Map(range(0, NUM_LAYERS).map((layer) => [layer, range(0, NUM_EXPERTS).map(() => [0, 1])])),
};

/** 4 rows of all experts' share. */
function callOf(seed: number): LayerCall {
  const random = seededRandom(seed);
  const [numRows, topK] = [4, 8];
  return {
    layerIndex: seed % NUM_LAYERS,
    numRows,
    topK,
    rows: Float32Array.from({ length: numRows * HIDDEN }, () => random() - 0.5),
    expertIds: Int32Array.from({ length: numRows * topK }, (_, pair) => (pair % topK) * 16 + Math.floor(random() * 16)),
    routingWeights: new Float32Array(numRows * topK).fill(1 / topK),
  };
}

describe('answers of real workers behind a proxy that changes them', () => {
  let store: DemoStore;
  let workers: { readonly worker: ExpertmeshProcess; readonly client: WorkerClient; readonly dataPort: number }[];
  let proxy: DispatchProxy;
  let quiet: LayerResult[];
  const dispatchers: GrpcExpertDispatcher[] = [];
  const calls = range(0, 40).map(callOf);

  beforeAll(async () => {
    store = await packDemoStore();
    workers = await Promise.all(WORKER_IDS.map(() => startWorker(store)));
    for (const { client } of workers) {
      await client.assign(assignment(store, 1, range(0, NUM_EXPERTS)));
      await client.load(1);
    }
    proxy = await DispatchProxy.start(`127.0.0.1:${String(workers[0]?.dataPort)}`);
    quiet = await dispatchAll(await open());
  });

  afterEach(async () => {
    proxy.onCall = proxy.onAnswer = (message) => [message];
    for (const dispatcher of dispatchers.splice(0)) await dispatcher.close();
  });

  afterAll(async () => {
    await proxy.close();
    for (const { client } of workers) client.close();
    await stopAll();
  });

  async function open(options: Partial<GrpcExpertDispatcherOptions> = {}): Promise<GrpcExpertDispatcher> {
    const dispatcher = new GrpcExpertDispatcher({
      storeId: storeIdOfCalls(store.storeId),
      hiddenSize: HIDDEN,
      wireDtype: 'fp32',
      callTimeoutMs: 10_000,
      ...connectionOpeners(undefined),
      ...options,
    });
    dispatchers.push(dispatcher);
    await dispatcher.setPlacement(EVERYTHING_TWICE);
    dispatcher.setWorkerUp('a', `127.0.0.1:${String(proxy.port)}`);
    dispatcher.setWorkerUp('b', `127.0.0.1:${String(workers[1]?.dataPort)}`);
    await eventually(() => {
      expect(dispatcher.stats().workers.every(({ isConnected }) => isConnected)).toBe(true);
    });
    return dispatcher;
  }

  async function dispatchAll(dispatcher: GrpcExpertDispatcher): Promise<LayerResult[]> {
    const results: LayerResult[] = [];
    for (const call of calls) results.push(await dispatcher.dispatch(call));
    return results;
  }

  /** All that was asked for was computed, and but for rounding it is what it is without faults. */
  function expectQuiet(results: readonly LayerResult[]): void {
    for (const [index, { sums, failures }] of results.entries()) {
      expect([...failures.values()]).toEqual([]);
      const expected = quiet[index]?.sums ?? new Float32Array();
      for (const [column, value] of sums.entries())
        expect(Math.abs(value - (expected[column] ?? NaN))).toBeLessThan(1e-4);
    }
  }

  const wrongKinds = (dispatcher: GrpcExpertDispatcher): WrongAnswerKind[] =>
    dispatcher.stats().wrongAnswers.map(({ kind }) => kind);

  it('finds every flipped bit, of calls and of answers, wherever in a message it is', async () => {
    let numFlipped = 0;
    const random = seededRandom(11);
    const flip = flippingBits(0.3, random, () => numFlipped++);
    proxy.onCall = proxy.onAnswer = flip;
    const dispatcher = await open();
    expectQuiet(await dispatchAll(dispatcher));
    expect(numFlipped).toBeGreaterThan(2);
    const [{ kind, workerId, numAnswers } = {}] = dispatcher.stats().wrongAnswers;
    // A call whose answer is damaged, too, is one wrong answer.
    expect([kind, workerId]).toEqual(['damaged', 'a']);
    expect(numAnswers).toBeGreaterThan(numFlipped / 2);
    expect(numAnswers).toBeLessThanOrEqual(numFlipped);
    expect(dispatcher.stats().workers[0]?.numConnectionsLost).toBe(0);
    expect(dispatcher.stats().quarantined).toMatchObject([{ workerId: 'a' }]);
  });

  it.each([
    ['not_finite', 'a NaN', rewritingAnswers((answer) => ({ ...answer, rows: answer.rows.slice().fill(NaN, 5, 6) }))],
    ['mismatch', 'another layer', rewritingAnswers((answer) => ({ ...answer, layerIndex: answer.layerIndex + 1 }))],
    ['mismatch', 'an old placement', rewritingAnswers((answer) => ({ ...answer, placementVersion: 0 }))],
    ['mismatch', 'a pair too few', rewritingAnswers((answer) => ({ ...answer, numPairs: answer.numPairs - 1 }))],
  ] as const)('takes no %s answer: %s', async (kind, _, change) => {
    proxy.onAnswer = change;
    const dispatcher = await open();
    expectQuiet(await dispatchAll(dispatcher));
    expect(wrongKinds(dispatcher)).toEqual([kind]);
    expect(dispatcher.stats().quarantined).toMatchObject([{ workerId: 'a' }]);
  });

  it('asks again for one wrong answer, and goes on with the worker', async () => {
    let numLeft = 1;
    proxy.onAnswer = (message) =>
      numLeft-- > 0
        ? rewritingAnswers((answer) => ({ ...answer, rows: answer.rows.slice().fill(Infinity, 0, 1) }))(message)
        : [message];
    const dispatcher = await open();
    expectQuiet(await dispatchAll(dispatcher));
    expect(dispatcher.stats()).toMatchObject({
      quarantined: [],
      wrongAnswers: [{ kind: 'not_finite', numAnswers: 1 }],
    });
  });

  it('drops answers that come twice', async () => {
    proxy.onAnswer = (message) => [message, message];
    const dispatcher = await open();
    expectQuiet(await dispatchAll(dispatcher));
    await eventually(() => {
      expect(dispatcher.stats().workers[0]?.numLateAnswers).toBe(dispatcher.stats().workers[0]?.numAnswers);
    });
  });

  it('has calls for another store refused, and computed elsewhere', async () => {
    proxy.onCall = rewritingCalls((call) => ({ ...call, storeId: 'ffffffffffffffff' }));
    const dispatcher = await open();
    expectQuiet(await dispatchAll(dispatcher));
    expect(dispatcher.stats().failovers).toMatchObject([{ workerId: 'a', reason: 'not_held' }]);
    await expect(dispatcher.probeReplica('a', 1, 1)).rejects.toThrow(
      /holds store [0-9a-f]{16} and not ffffffffffffffff/,
    );
  });

  it('quarantines a worker whose canary rows drift, and takes it back when they are right', async () => {
    const quarantined: unknown[] = [];
    const dispatcher = await open({
      canaryIntervalMs: 1_000,
      onQuarantine: (workerId, because) => quarantined.push([workerId, because]),
    });
    // Every replica has answered once by then.
    await eventually(() => {
      expect(dispatcher.stats().workers.every(({ numAnswers }) => numAnswers > (NUM_LAYERS * NUM_EXPERTS) / 4)).toBe(
        true,
      );
    }, 20_000);
    proxy.onAnswer = rewritingAnswers((answer) => ({ ...answer, rows: answer.rows.map((value) => 1.2 * value) }));
    await eventually(() => {
      expect(quarantined).toEqual([['a', expect.stringMatching(/answers the canary row 20\.0 % off/)]]);
    }, 20_000);
    proxy.onAnswer = (message) => [message];
    await eventually(() => {
      expect(quarantined.at(-1)).toEqual(['a', undefined]);
    }, 20_000);
  });

  it('believes its own store where the first worker that is asked computes wrongly', async () => {
    const expertStore = await openExpertStore(store.dir);
    const backend = createComputeBackend('native', expertStore.quantisation, 1);
    proxy.onAnswer = rewritingAnswers((answer) => ({ ...answer, rows: answer.rows.map((value) => 1.2 * value) }));
    try {
      const dispatcher = await open({
        canaryIntervalMs: 1_000,
        storedReference: storedReference(expertStore, backend, { mode: 'always', numThreads: 1, cacheDir: tempDir() }),
      });
      await eventually(() => {
        expect(dispatcher.stats().quarantined).toMatchObject([
          { workerId: 'a', because: expect.stringMatching(/20\.0 % off what is right/) as string },
        ]);
      }, 20_000);
      proxy.onAnswer = (message) => [message];
      expectQuiet(await dispatchAll(dispatcher));
      await dispatcher.close();
    } finally {
      await closeComputeBackend(backend);
    }
  });

  it('asks the other replica within 0.3 s when a worker is stopped, and drops its late answers', async () => {
    const dispatcher = await open({ hedging: true });
    for (let round = 0; round < 8; round++) await dispatchAll(dispatcher);
    workers[1]?.worker.child.kill('SIGSTOP');
    try {
      const startMs = performance.now();
      let longestMs = 0;
      for (const call of calls) {
        const beganMs = performance.now();
        expect((await dispatcher.dispatch(call)).failures.size).toBe(0);
        longestMs = Math.max(longestMs, performance.now() - beganMs);
      }
      expect(longestMs).toBeLessThan(300);
      expect(performance.now() - startMs).toBeLessThan(2_000);
      expect(dispatcher.stats().hedges).toEqual([{ workerId: 'b', numHedges: 1, numWon: 1 }]);
    } finally {
      workers[1]?.worker.child.kill('SIGCONT');
    }
    await eventually(() => {
      expect(dispatcher.stats().workers[1]?.numLateAnswers).toBe(1);
    });
    const { numCalls = 0 } = dispatcher.stats().workers[1] ?? {};
    expectQuiet(await dispatchAll(dispatcher));
    expect(dispatcher.stats().workers[1]?.numCalls).toBeGreaterThan(numCalls);
  });
});
