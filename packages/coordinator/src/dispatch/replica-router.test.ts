import { type Placement } from '@expertmesh/shared/placement/placement';
import { describe, expect, it } from 'vitest';
import { type LayerCall } from './expert-dispatcher.js';
import { ReplicaRouter } from './replica-router.js';
import { type DispatchPart } from './route-plan.js';
import { type WorkerCost } from './worker-cost.js';

const NO_SPLIT = 1_000_000;

function callOf(expertsOfRows: readonly (readonly number[])[], layerIndex = 0): LayerCall {
  const numPairs = expertsOfRows.flat().length;
  return {
    layerIndex,
    numRows: expertsOfRows.length,
    topK: expertsOfRows[0]?.length ?? 0,
    rows: new Float32Array(expertsOfRows.length),
    expertIds: Int32Array.from(expertsOfRows.flat()),
    routingWeights: new Float32Array(numPairs),
  };
}

/** 4 experts on 3 workers: expert 0 on a, 1 on b, 2 on a and b, 3 on all. */
const replicated: Placement = {
  version: 5,
  numExperts: 4,
  workerIds: ['a', 'b', 'c'],
  replicas: new Map([[0, [[0], [1], [0, 1], [0, 1, 2]]]]),
};

const rowsByWorker = (parts: readonly DispatchPart[]) =>
  parts.map(({ workerIndex, rowIndices }) => [workerIndex, ...rowIndices]);
const oneExpert = (numRows: number): number[][] => Array.from({ length: numRows }, () => [3]);
const cost = (secondsPerActiveExpert: number, secondsPerToken: number): WorkerCost => ({
  secondsPerActiveExpert,
  secondsPerToken,
});

describe('ReplicaRouter', () => {
  it('prefers the replica on a worker that the row needs anyway, also for a pair that comes first', () => {
    const [part, ...others] = new ReplicaRouter(replicated).plan(callOf([[2, 1]]), NO_SPLIT);
    expect([part?.workerIndex, [...(part?.expertIds ?? [])], others]).toEqual([1, [2, 1], []]);
  });

  it('keeps a few tokens of an expert on one replica, as reading its weights twice costs more', () => {
    expect(rowsByWorker(new ReplicaRouter(replicated).plan(callOf(oneExpert(4)), NO_SPLIT))).toEqual([[0, 0, 1, 2, 3]]);
  });

  it('takes other costs without forgetting what workers have had lately', () => {
    const equal = new Map(['a', 'b', 'c'].map((workerId) => [workerId, cost(10e-6, 1e-6)]));
    const router = new ReplicaRouter(replicated, equal);
    const holderOf = () => router.plan(callOf(oneExpert(1)), NO_SPLIT)[0]?.workerIndex;
    expect(holderOf()).toBe(0);
    router.setCosts(new Map([...equal, ['unknown', cost(1, 1)]]));
    expect(holderOf()).toBe(1);
    router.setCosts(new Map([...equal, ['a', cost(1e-6, 1e-7)]]));
    expect(holderOf()).toBe(0);
  });

  it('spreads many tokens of an expert by the speed of the workers that hold it', () => {
    const costs = new Map([
      ['a', cost(10e-6, 1e-6)],
      ['b', cost(10e-6, 2e-6)],
      ['c', cost(10e-6, 4e-6)],
    ]);
    const parts = new ReplicaRouter(replicated, costs).plan(callOf(oneExpert(700)), NO_SPLIT);
    const shares = parts.map(({ rowIndices }) => rowIndices.length / 700);
    expect(shares[0]).toBeCloseTo(4 / 7, 1);
    expect(shares[1]).toBeCloseTo(2 / 7, 1);
    expect(shares[2]).toBeCloseTo(1 / 7, 1);
  });

  it('takes a worker whose cost is unknown for an average one', () => {
    const costs = new Map([['a', cost(1, 0.1)]]);
    const parts = new ReplicaRouter(replicated, costs).plan(callOf(oneExpert(3000)), NO_SPLIT);
    for (const { rowIndices } of parts) expect(rowIndices.length / 3000).toBeCloseTo(1 / 3, 1);
  });

  it('takes turns over many calls that give it no reason to choose', () => {
    const router = new ReplicaRouter(replicated);
    const numCalls = new Map<number, number>();
    for (let i = 0; i < 300; i++)
      for (const { workerIndex } of router.plan(callOf([[3]]), NO_SPLIT))
        numCalls.set(workerIndex, (numCalls.get(workerIndex) ?? 0) + 1);
    expect([...numCalls.values()].sort()).toEqual([100, 100, 100]);
  });

  it('leaves out workers that are excluded where another has the expert, and asks one of them where none has', () => {
    const router = new ReplicaRouter(replicated);
    const call = callOf([[0, 3]]);
    expect(rowsByWorker(router.plan(call, NO_SPLIT, (worker) => worker < 2))).toEqual([
      [0, 0],
      [2, 0],
    ]);
    expect(rowsByWorker(router.plan(call, NO_SPLIT, (worker, expertId) => worker === 0 && expertId === 3))).toEqual([
      [0, 0],
      [1, 0],
    ]);
  });

  it('plans a part of the pairs', () => {
    const parts = new ReplicaRouter(replicated).plan(
      callOf([
        [0, 1],
        [1, 0],
      ]),
      NO_SPLIT,
      undefined,
      [1, 2],
    );
    expect(rowsByWorker(parts)).toEqual([[1, 0, 1]]);
  });

  it('refuses an expert or a layer that nobody holds', () => {
    const router = new ReplicaRouter(replicated);
    expect(() => router.plan(callOf([[4]]), NO_SPLIT)).toThrow('placement 5 has no worker for expert 4');
    expect(() => router.plan(callOf([[0]], 9), NO_SPLIT)).toThrow('placement 5 has no worker for layer 9');
  });
});
