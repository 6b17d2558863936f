import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { expertsOf, type Placement } from '@expertmesh/shared/placement/placement';

/** What one worker holds or is to hold: layers ascending, experts ascending, no empty layer. */
export type Shards = readonly LayerShard[];

export function shardsOf(placement: Placement, workerId: string): Shards {
  const workerIndex = placement.workerIds.indexOf(workerId);
  if (workerIndex < 0) return [];
  return toShards(
    [...placement.replicas.keys()].map((layerIndex) => [layerIndex, expertsOf(placement, layerIndex, workerIndex)]),
  );
}

export function unionShards(a: Shards, b: Shards): Shards {
  if (b.length === 0) return a;
  const byLayer = new Map<number, readonly number[]>();
  for (const { layerIndex, expertIds } of [...a, ...b])
    byLayer.set(layerIndex, [...new Set([...(byLayer.get(layerIndex) ?? []), ...expertIds])]);
  return toShards([...byLayer]);
}

export function isSameShards(a: Shards, b: Shards): boolean {
  return a.length === b.length && a.every((shard, index) => isSameShard(shard, b[index]));
}

export function numReplicasIn(shards: Shards): number {
  return shards.reduce((total, { expertIds }) => total + expertIds.length, 0);
}

/** Whether everything of `part` is in `whole`. */
export function includesShards(whole: Shards, part: Shards): boolean {
  const held = new Map(whole.map(({ layerIndex, expertIds }) => [layerIndex, new Set(expertIds)]));
  return part.every(({ layerIndex, expertIds }) =>
    expertIds.every((expertId) => held.get(layerIndex)?.has(expertId) === true),
  );
}

/** The form that comparisons rely on, of shards from elsewhere. */
export function toShards(layers: Iterable<readonly [number, readonly number[]]>): Shards {
  return [...layers]
    .filter(([, expertIds]) => expertIds.length > 0)
    .sort(([a], [b]) => a - b)
    .map(([layerIndex, expertIds]) => ({ layerIndex, expertIds: [...expertIds].sort((a, b) => a - b) }));
}

function isSameShard(a: LayerShard, b: LayerShard | undefined): boolean {
  return (
    a.layerIndex === b?.layerIndex &&
    a.expertIds.length === b.expertIds.length &&
    a.expertIds.every((expertId, index) => expertId === b.expertIds[index])
  );
}
