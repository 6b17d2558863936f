import { describe, expect, it } from 'vitest';
import { type Shards } from '../placement/shards.js';
import { type KnownWorker } from './known-workers.js';
import { commonShards, withLastReplicas } from './last-replicas.js';

const layer = (...expertIds: number[]): Shards => [{ layerIndex: 0, expertIds }];

const worker = (workerId: string, holds: Shards, state: KnownWorker['state'] = 'up'): KnownWorker => ({
  workerId,
  state,
  stateSinceMs: 0,
  reason: '',
  holds,
});

describe('withLastReplicas', () => {
  it('keeps what no other worker who is up holds', () => {
    const back = worker('back', layer(0, 1, 2));
    const others = [worker('a', layer(1)), worker('b', [], 'away')];
    expect(withLastReplicas(back, layer(3), [back, ...others])).toEqual(layer(0, 2, 3));
  });

  it('lets go what another one holds by now', () => {
    const back = worker('back', layer(0, 1));
    expect(withLastReplicas(back, [], [back, worker('a', layer(0, 1))])).toEqual([]);
  });
});

describe('commonShards', () => {
  it('is what is held and wanted, without layers of which nothing is', () => {
    const held: Shards = [
      { layerIndex: 0, expertIds: [0, 1] },
      { layerIndex: 1, expertIds: [0] },
    ];
    expect(commonShards(held, layer(1, 2))).toEqual(layer(1));
  });
});
