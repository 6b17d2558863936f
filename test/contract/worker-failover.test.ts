import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectionOpeners } from '@expertmesh/coordinator/serving/connection-openers';
import { GrpcExpertDispatcher } from '@expertmesh/coordinator/dispatch/grpc-expert-dispatcher';
import { ForwardPass } from '@expertmesh/coordinator/engine/forward';
import { openExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { storeIdOfCalls } from '@expertmesh/shared/rpc/dispatch-message';
import { closeStore, loadStore, type LoadedStore } from '../golden/model-under-test.js';
import { stopAll, type ExpertmeshProcess } from '@expertmesh/test-kit/process';
import { NUM_LAYERS, range } from './demo-calls.js';
import { assignment, packDemoStore, startWorker, type DemoStore } from './demo-worker.js';
import { type WorkerClient } from './worker-client.js';

const NUM_EXPERTS = 128;
const WORKER_IDS = ['a', 'b', 'c'];
const PROMPT = range(100, 120);
const NUM_TOKENS = 40;

/** Each expert on two of the three workers. */
const holdersOf = (expertId: number): number[] => [expertId % 3, (expertId + 1) % 3].sort();
const heldBy = (worker: number): number[] =>
  range(0, NUM_EXPERTS).filter((expertId) => holdersOf(expertId).includes(worker));

const placementOf = (version: number, holders: (expertId: number) => number[]): Placement => ({
  version,
  numExperts: NUM_EXPERTS,
  workerIds: WORKER_IDS,
  replicas: new Map(range(0, NUM_LAYERS).map((layer) => [layer, range(0, NUM_EXPERTS).map(holders)])),
});

describe('a model whose experts have two replicas each', () => {
  let store: DemoStore;
  let model: LoadedStore;
  let workers: { readonly worker: ExpertmeshProcess; readonly client: WorkerClient; readonly dataPort: number }[];
  let dispatcher: GrpcExpertDispatcher;
  let quiet: number[];

  beforeAll(async () => {
    store = await packDemoStore();
    model = await loadStore(await openExpertStore(store.dir), 'cpu');
    await startCluster();
    quiet = await generate();
    await stopCluster();
  });

  afterEach(stopCluster);

  afterAll(() => closeStore(model));

  async function startCluster(): Promise<void> {
    workers = await Promise.all(WORKER_IDS.map(() => startWorker(store)));
    const { hiddenSize } = model.store.spec;
    const storeId = storeIdOfCalls(model.store.storeId);
    const options = { storeId, hiddenSize, wireDtype: 'fp32', callTimeoutMs: 30_000 } as const;
    dispatcher = new GrpcExpertDispatcher({ ...options, ...connectionOpeners(undefined) });
    await Promise.all(
      workers.map(async ({ client }, worker) => {
        await client.assign(assignment(store, 1, heldBy(worker)));
        await client.load(1);
      }),
    );
    await dispatcher.setPlacement(placementOf(1, holdersOf));
    for (const [worker, { dataPort }] of workers.entries())
      dispatcher.setWorkerUp(WORKER_IDS[worker] ?? '', `127.0.0.1:${String(dataPort)}`);
  }

  async function stopCluster(): Promise<void> {
    await dispatcher.close();
    for (const { client } of workers) client.close();
    await stopAll();
  }

  /** Greedy tokens after the prompt. */
  async function generate(onToken: (numTokens: number) => void | Promise<void> = () => undefined): Promise<number[]> {
    const forward = new ForwardPass({ spec: model.store.spec, dense: model.dense, experts: dispatcher });
    const cache = model.createCache();
    const tokens: number[] = [];
    for (let tokenIds = PROMPT; tokens.length < NUM_TOKENS; tokenIds = tokens.slice(-1)) {
      const chunk = { cache, tokenIds, numLogits: 1 };
      cache.reserve(tokenIds.length);
      const result = (await forward.run([chunk])).get(chunk);
      if (result?.ok !== true) throw result?.error ?? new Error('no result');
      cache.advance(tokenIds.length);
      tokens.push(result.logits.indexOf(Math.max(...result.logits)));
      await onToken(tokens.length);
    }
    cache.release();
    return tokens;
  }

  it('generates the same tokens when a worker is killed in the middle of them, and goes on without it', async () => {
    await startCluster();
    const tokens = await generate((numTokens) => {
      if (numTokens === 10) workers[1]?.worker.child.kill('SIGKILL');
    });
    expect(tokens).toEqual(quiet);
    expect(dispatcher.stats().failovers).toMatchObject([{ workerId: 'b', reason: 'unavailable' }]);
    expect(await generate()).toEqual(quiet);
  });

  it('generates the same tokens while a worker loses experts that a placement still names', async () => {
    await startCluster();
    const tokens = await generate(async (numTokens) => {
      if (numTokens !== 10) return;
      await workers[0]?.client.assign(assignment(store, 2, heldBy(0).slice(20)));
      await workers[0]?.client.load(2);
    });
    expect(tokens).toEqual(quiet);
    expect(dispatcher.stats().failovers).toMatchObject([{ workerId: 'a', reason: 'not_held' }]);
  });

  it('generates the same tokens while experts move, and then asks the worker that they left for none', async () => {
    await startCluster();
    const moved = (expertId: number): number[] => (expertId < 64 ? [2] : holdersOf(expertId));
    const tokens = await generate(async (numTokens) => {
      if (numTokens !== 10) return;
      await workers[2]?.client.assign(
        assignment(
          store,
          2,
          [...new Set([...range(0, 64), ...heldBy(2)])].sort((a, b) => a - b),
        ),
      );
      await workers[2]?.client.load(2);
      const [before, after] = await Promise.all(
        [0, 2].map((worker) => dispatcher.probeReplica(WORKER_IDS[worker] ?? '', 1, 0)),
      );
      expect(after).toEqual(before);
      await dispatcher.setPlacement(placementOf(2, moved));
      for (const worker of [0, 1]) {
        await workers[worker]?.client.assign(
          assignment(
            store,
            2,
            heldBy(worker).filter((expertId) => expertId >= 64),
          ),
        );
        await workers[worker]?.client.load(2);
      }
    });
    expect(tokens).toEqual(quiet);
    expect(dispatcher.stats().failovers).toEqual([]);
    for (const { client } of workers)
      expect(await client.stats()).toMatchObject({ placementVersion: 2, numFailedCalls: 0 });
  });
});
