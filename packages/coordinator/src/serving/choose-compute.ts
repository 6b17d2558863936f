import { chooseProvider } from '@expertmesh/compute/provider/choose-provider';
import { gpuNeed } from '@expertmesh/compute/provider/gpu-memory';
import { type CoordinatorConfig } from '@expertmesh/shared/config/coordinator-config';
import { type Provider } from '@expertmesh/shared/config/execution-provider';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type BlobContent } from '@expertmesh/shared/expert-store/store-blobs';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Logger } from '@expertmesh/shared/process/logger';

/**
 * Chooses what computes the dense part and local experts, and says so.
 *
 * @throws ExpertmeshError as chooseProvider.
 */
export async function chooseCompute(
  config: Pick<CoordinatorConfig, 'ep' | 'numThreads' | 'kvCacheBytes' | 'gpuMemoryBytes'>,
  store: ExpertStore,
  localShards: readonly LayerShard[],
  logger: Logger,
): Promise<Provider> {
  const { ep, numThreads, kvCacheBytes, gpuMemoryBytes } = config;
  const { provider, reason, gpu } = await chooseProvider({
    ep,
    geometry: store,
    numThreads,
    role: 'coordinator',
    gpuMemoryBytes,
    need: gpuNeed(store, isHeldWith(localShards), kvCacheBytes),
  });
  logger.info({ provider, reason, gpuMemory: gpu?.source }, 'computing');
  return provider;
}

/** Which parts of the model sessions of this process load; the embedding is read from its file, row by row. */
function isHeldWith(localShards: readonly LayerShard[]): (content: BlobContent) => boolean {
  const local = new Map(localShards.map(({ layerIndex, expertIds }) => [layerIndex, new Set(expertIds)]));
  return (content) => {
    switch (content.kind) {
      case 'embedding':
        return false;
      case 'dense-layer':
      case 'head':
        return true;
      case 'expert':
        return local.get(content.layerIndex)?.has(content.expertId) === true;
    }
  };
}
