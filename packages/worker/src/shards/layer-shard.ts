import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';

/** Whether two shards need the same session. */
export function isSameShard(a: LayerShard, b: LayerShard): boolean {
  return (
    a.layerIndex === b.layerIndex &&
    a.expertIds.length === b.expertIds.length &&
    a.expertIds.every((expertId, index) => expertId === b.expertIds[index])
  );
}
