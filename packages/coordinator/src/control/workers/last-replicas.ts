import { toShards, unionShards, type Shards } from '../placement/shards.js';
import { type KnownWorker } from './known-workers.js';

/**
 * What a worker is to hold, with what it holds that no other worker who is up does: a worker that was taken for dead
 * and comes back may have the only replica that lives, whatever the placement says by then. It is dropped as soon as
 * another one has it.
 */
export function withLastReplicas(worker: KnownWorker, wanted: Shards, all: readonly KnownWorker[]): Shards {
  const others = all.filter(({ workerId, state }) => workerId !== worker.workerId && state === 'up');
  const isLast = (layerIndex: number, expertId: number): boolean =>
    !others.some(({ holds }) => includes(holds, layerIndex, expertId));
  return unionShards(wanted, filtered(worker.holds, isLast));
}

/** What of `held` is in `wanted`. */
export function commonShards(held: Shards, wanted: Shards): Shards {
  return filtered(held, (layerIndex, expertId) => includes(wanted, layerIndex, expertId));
}

const filtered = (shards: Shards, isKept: (layerIndex: number, expertId: number) => boolean): Shards =>
  toShards(
    shards.map(({ layerIndex, expertIds }) => [
      layerIndex,
      expertIds.filter((expertId) => isKept(layerIndex, expertId)),
    ]),
  );

const includes = (shards: Shards, layerIndex: number, expertId: number): boolean =>
  shards.some((shard) => shard.layerIndex === layerIndex && shard.expertIds.includes(expertId));
