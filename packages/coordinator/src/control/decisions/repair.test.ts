import { WorkerCapacity, WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { describe, expect, it } from 'vitest';
import { type KnownWorker } from '../workers/known-workers.js';
import { decideRepair, type RepairFacts } from './repair.js';

/** One layer: expert 0 on a alone, expert 1 on a and b, expert 2 on b and c; d holds nothing. */
const placement: Placement = {
  version: 1,
  numExperts: 3,
  workerIds: ['a', 'b', 'c', 'd'],
  replicas: new Map([[0, [[0], [0, 1], [1, 2]]]]),
};

const worker = (workerId: string, changed: Partial<KnownWorker> = {}, failureDomain = workerId): KnownWorker => ({
  workerId,
  state: 'up',
  stateSinceMs: 0,
  reason: '',
  holds: [],
  stats: WorkerStats.create({ capacity: WorkerCapacity.create({ failureDomain }) }),
  ...changed,
});
const away = { state: 'away', stateSinceMs: 1_000 } as const;

const facts = (changed: Partial<RepairFacts> = {}): RepairFacts => ({
  placement,
  survive: 0,
  workers: ['a', 'b', 'c', 'd'].map((workerId) => worker(workerId)),
  admissions: {},
  repairAfterMs: 30_000,
  nowMs: 31_000,
  ...changed,
});
const withAway = (awayId: string): KnownWorker[] =>
  ['a', 'b', 'c', 'd'].map((workerId) => worker(workerId, workerId === awayId ? away : {}));

describe('decideRepair', () => {
  it('does nothing while everybody is there', () => {
    expect(decideRepair(facts())).toBeUndefined();
  });

  it('has the experts of a worker go elsewhere when it has been away for too long, and not before', () => {
    expect(decideRepair(facts({ workers: withAway('a'), nowMs: 30_999 }))).toBeUndefined();
    expect(decideRepair(facts({ workers: withAway('a') }))).toEqual({
      dead: new Set(['a']),
      reason: 'worker a is dead',
    });
  });

  it('does not wait as long where an expert has no replica left', () => {
    const soon = { lostAfterMs: 1_000, nowMs: 2_000 };
    expect(decideRepair(facts({ ...soon, workers: withAway('a') }))?.dead).toEqual(new Set(['a']));
    expect(decideRepair(facts({ ...soon, nowMs: 1_999, workers: withAway('a') }))).toBeUndefined();
    expect(decideRepair(facts({ ...soon, survive: 1, workers: withAway('c') }))).toBeUndefined();
  });

  it('leaves the placement as it is where others have all that the dead one had', () => {
    expect(decideRepair(facts({ workers: withAway('c') }))).toBeUndefined();
    expect(decideRepair(facts({ workers: withAway('d') }))).toBeUndefined();
  });

  it('restores what the placement is to survive', () => {
    const replicas = new Map([
      [
        0,
        [
          [0, 1],
          [1, 2],
          [0, 2],
        ],
      ],
    ]);
    const twice = { placement: { ...placement, replicas }, workers: withAway('c') };
    expect(decideRepair(facts(twice))).toBeUndefined();
    expect(decideRepair(facts({ ...twice, survive: 1 }))?.dead).toEqual(new Set(['c']));
  });

  it('counts failure domains, not workers', () => {
    const replicas = new Map([
      [
        0,
        [
          [0, 1, 2],
          [0, 1, 2],
          [0, 1, 2],
        ],
      ],
    ]);
    const workers = [worker('a', {}, 'rack-1'), worker('b', {}, 'rack-1'), worker('c', away, 'rack-2'), worker('d')];
    const spread = { placement: { ...placement, replicas }, workers };
    expect(decideRepair(facts({ ...spread, survive: 1 }))?.dead).toEqual(new Set(['c']));
  });

  it('waits for no removed worker, and counts one that nobody knows as dead', () => {
    expect(decideRepair(facts({ workers: withAway('a'), nowMs: 1_001, admissions: { a: 'removed' } }))?.dead).toEqual(
      new Set(['a']),
    );
    expect(decideRepair(facts({ workers: facts().workers.slice(1) }))?.dead).toEqual(new Set(['a']));
  });

  it('ends a drain that was left unfinished', () => {
    expect(decideRepair(facts({ admissions: { b: 'draining' } }))).toEqual({
      dead: new Set(),
      reason: 'worker b is drained',
    });
    expect(decideRepair(facts({ admissions: { d: 'draining', a: 'cordoned' } }))).toBeUndefined();
  });
});
