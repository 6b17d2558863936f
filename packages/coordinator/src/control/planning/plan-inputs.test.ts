import { WorkerCapacity, WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { describe, expect, it } from 'vitest';
import { type KnownWorker } from '../workers/known-workers.js';
import { planCluster, type ClusterFacts } from './plan-inputs.js';

const EXPERT = { packedBytes: 1_000, memoryBytes: 1_050 };

const worker = (workerId: string, capacity: Partial<WorkerCapacity> = {}, budget = 10_500): KnownWorker => ({
  workerId,
  state: 'up',
  stateSinceMs: 0,
  reason: '',
  holds: [],
  stats: WorkerStats.create({ memoryBudgetBytes: budget, capacity: WorkerCapacity.create(capacity) }),
});
const facts = (workers: KnownWorker[], changed: Partial<ClusterFacts> = {}): ClusterFacts => ({
  workers,
  admissions: {},
  previous: undefined,
  expertSize: EXPERT,
  secondsPerRow: 1e-6,
  numLayers: 8,
  withRoomToMove: false,
  ...changed,
});
const plan = (workers: KnownWorker[], changed: Partial<ClusterFacts> = {}) =>
  planCluster(facts(workers, changed)).workers;
const placement: Placement = {
  version: 1,
  numExperts: 3,
  workerIds: ['a', 'local'],
  replicas: new Map([[0, [[0], [0], [1]]]]),
};

describe('planCluster', () => {
  it('counts replicas as each worker says that it needs memory for them', () => {
    const gpu = worker('gpu', { expertMemoryBytes: 2_100, failureDomain: 'box' });
    expect(plan([worker('a'), gpu]).map(({ memoryBudgetBytes }) => memoryBudgetBytes)).toEqual([10_000, 5_000]);
    expect(plan([worker('a'), gpu]).map(({ failureDomain }) => failureDomain)).toEqual(['a', 'box']);
  });

  it('leaves memory for what a change needs for a while', () => {
    const [planned] = plan([worker('a')], { withRoomToMove: true });
    expect(planned?.memoryBudgetBytes).toBe(8_000);
  });

  it('takes workers of a kind for equal as long as their figures are near each other', () => {
    const measured = (seconds: number, provider = 'native') => ({
      provider,
      secondsPerActiveExpert: seconds,
      secondsPerToken: seconds / 10,
    });
    const workers = [
      worker('a', measured(10e-6)),
      worker('b', measured(12e-6)),
      worker('c', measured(11e-6)),
      worker('slow', measured(40e-6)),
      worker('gpu', measured(13e-6, 'webgpu')),
    ];
    expect(plan(workers).map(({ secondsPerActiveExpert }) => secondsPerActiveExpert)).toEqual([
      12e-6, 12e-6, 12e-6, 40e-6, 13e-6,
    ]);
  });

  it('estimates those that have not computed from their memory, corrected by what the others took', () => {
    const memoryBytesPerSecond = 1e9;
    const workers = [worker('new', { memoryBytesPerSecond }), worker('newer', { memoryBytesPerSecond: 2e9 })];
    expect(plan(workers).map(({ secondsPerActiveExpert }) => secondsPerActiveExpert)).toEqual([1e-6, 0.5e-6]);
    const known = worker('known', { provider: 'cpu', memoryBytesPerSecond, secondsPerActiveExpert: 3e-6 });
    expect(plan([...workers, known]).map(({ secondsPerActiveExpert }) => secondsPerActiveExpert)).toEqual([
      3e-6, 1.5e-6, 3e-6,
    ]);
  });

  it('gives nothing new to workers that are cordoned or away, and has drained and dead ones give all up', () => {
    const workers = [worker('a'), worker('b'), worker('c'), { ...worker('d'), state: 'away' as const }, worker('e')];
    const admissions = { b: 'cordoned', c: 'drained' } as const;
    expect(plan(workers, { admissions, dead: new Set(['e']) }).map(({ state }) => state)).toEqual([
      'accepting',
      'cordoned',
      'draining',
      'cordoned',
      'draining',
    ]);
  });

  it('lets a cordoned worker keep what it has, whatever room it should leave', () => {
    const replicas = new Map([[0, Array.from({ length: 9 }, () => [0])]]);
    const previous = { version: 1, numExperts: 9, workerIds: ['a'], replicas };
    const [planned] = plan([worker('a')], { previous, admissions: { a: 'cordoned' }, withRoomToMove: true });
    expect(planned?.memoryBudgetBytes).toBe(9_000);
  });

  it("plans the coordinator's own experts as they are, and leaves out whoever never said anything", () => {
    const { stats: _, ...silent } = worker('silent');
    const planned = plan([worker('a'), silent], { previous: placement });
    expect(planned.map(({ workerId, state }) => `${workerId} ${state}`)).toEqual(['local cordoned', 'a accepting']);
    expect(planned[0]?.memoryBudgetBytes).toBe(1_000);
  });
});
