import { WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { describe, expect, it } from 'vitest';
import { type Shards } from '../placement/shards.js';
import { decideCommand, epochToExceed } from './command-decision.js';
import { type KnownWorker } from './known-workers.js';

const wanted: Shards = [{ layerIndex: 0, expertIds: [1, 2] }];
const worker = (holds: Shards, epoch: number, state: KnownWorker['state'] = 'up'): KnownWorker => ({
  workerId: 'a',
  state,
  stateSinceMs: 0,
  reason: '',
  stats: WorkerStats.create({ epoch }),
  holds,
});

describe('decideCommand', () => {
  it('has a worker hold what it should, and nothing where that is nothing', () => {
    expect(decideCommand(worker([], 3), wanted, 3)).toEqual({ kind: 'hold', shards: wanted });
    expect(decideCommand(worker([{ layerIndex: 0, expertIds: [1] }], 3), wanted, 3)).toEqual({
      kind: 'hold',
      shards: wanted,
    });
    expect(decideCommand(worker(wanted, 3), [], 3)).toEqual({ kind: 'unload' });
  });

  it('says nothing to a worker that holds it, unless a former leader commanded it last', () => {
    expect(decideCommand(worker(wanted, 3), wanted, 3)).toEqual({ kind: 'none' });
    expect(decideCommand(worker(wanted, 2), wanted, 3)).toEqual({ kind: 'hold', shards: wanted });
    expect(decideCommand(worker([], 2), [], 3)).toEqual({ kind: 'unload' });
  });

  it('says nothing to one that is away, or that obeys a higher epoch only', () => {
    expect(decideCommand(worker([], 0, 'away'), wanted, 3)).toEqual({ kind: 'none' });
    expect(decideCommand(worker([], 4), wanted, 3)).toEqual({ kind: 'none' });
  });
});

describe('epochToExceed', () => {
  it('is that of workers that hold something else, and of no others', () => {
    const want = (): Shards => wanted;
    expect(epochToExceed([worker([], 4), worker(wanted, 9), worker([], 12, 'away')], 0, want)).toBe(4);
    expect(epochToExceed([worker(wanted, 9)], 0, want)).toBe(0);
    expect(epochToExceed([worker([], 9)], 0, () => undefined)).toBe(0);
  });
});
