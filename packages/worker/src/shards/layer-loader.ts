import { type ComputeBackend } from '@expertmesh/compute/compute-backend';
import { layerRunners } from '@expertmesh/compute/experts/expert-runners';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { LoadedLayer } from './loaded-layer.js';

/**
 * Brings one layer's shard, whose blobs have been verified, into memory.
 *
 * @throws ExpertmeshError as CreateLayerRunner.
 */
export type LayerLoader = (shard: LayerShard) => Promise<LoadedLayer>;

export function createLayerLoader(store: ExpertStore, backend: ComputeBackend): LayerLoader {
  const createRunner = layerRunners(store, backend);
  return async (shard) =>
    new LoadedLayer(shard, store.spec.numExperts, await createRunner(shard.layerIndex, shard.expertIds));
}
