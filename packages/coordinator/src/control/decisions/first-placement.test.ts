import { WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { describe, expect, it } from 'vitest';
import { type Shards } from '../placement/shards.js';
import { type KnownWorker } from '../workers/known-workers.js';
import { decideFirstPlacement } from './first-placement.js';

const worker = (workerId: string, stateSinceMs: number, holds: Shards = []): KnownWorker => ({
  workerId,
  state: 'up',
  stateSinceMs,
  reason: '',
  stats: WorkerStats.create(),
  holds,
});
const facts = { layerIndices: [1, 3], numExperts: 2, nextVersion: 7, minWorkers: 2, nowMs: 10_000 };

describe('decideFirstPlacement', () => {
  it('waits for as many workers as were asked for, and a moment for others that are started with them', () => {
    expect(decideFirstPlacement({ ...facts, workers: [worker('a', 0)] })).toEqual({
      kind: 'wait',
      because: 'waiting for workers: 1 of 2 are up',
    });
    expect(decideFirstPlacement({ ...facts, workers: [worker('a', 0), worker('b', 8_001)] }).kind).toBe('wait');
    expect(decideFirstPlacement({ ...facts, workers: [worker('a', 0), worker('b', 8_000)] })).toEqual({ kind: 'plan' });
  });

  it('does not count workers that are away', () => {
    const workers = [worker('a', 0), { ...worker('b', 0), state: 'away' as const }];
    expect(decideFirstPlacement({ ...facts, workers }).kind).toBe('wait');
  });

  it('takes what the workers hold for the placement when no expert is missing, at once', () => {
    const first = worker('a', 9_999, [
      { layerIndex: 1, expertIds: [0, 1] },
      { layerIndex: 3, expertIds: [0] },
    ]);
    const second = worker('b', 9_999, [
      { layerIndex: 1, expertIds: [1] },
      { layerIndex: 3, expertIds: [1] },
    ]);
    expect(decideFirstPlacement({ ...facts, minWorkers: 3, workers: [first, second] })).toEqual({
      kind: 'take',
      placement: {
        version: 7,
        numExperts: 2,
        workerIds: ['a', 'b'],
        replicas: new Map([
          [1, [[0], [0, 1]]],
          [3, [[0], [1]]],
        ]),
      },
    });
    expect(decideFirstPlacement({ ...facts, minWorkers: 3, workers: [first] }).kind).toBe('wait');
  });
});
