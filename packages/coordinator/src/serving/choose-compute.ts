import { chooseProvider } from '@expertmesh/compute/provider/choose-provider';
import { gpuNeedBytes } from '@expertmesh/compute/provider/gpu-memory';
import { isGpu } from '@expertmesh/compute/provider/gpu-provider';
import { type CoordinatorConfig } from '@expertmesh/shared/config/coordinator-config';
import { type Provider } from '@expertmesh/shared/config/execution-provider';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type BlobContent } from '@expertmesh/shared/expert-store/store-blobs';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Logger } from '@expertmesh/shared/process/logger';
import { machineResources } from '@expertmesh/shared/process/machine';
import { localMemoryBudget, requireLocalMemory } from './local-memory.js';

/**
 * Chooses what computes the dense part and local experts, says so, and checks that the experts fit its memory.
 *
 * @throws ExpertmeshError as chooseProvider and requireLocalMemory; the signal's reason when it aborts.
 */
export async function chooseCompute(
  config: Pick<CoordinatorConfig, 'ep' | 'numThreads' | 'kvCacheBytes' | 'memoryBudgetBytes' | 'gpuMemoryBytes'>,
  store: ExpertStore,
  localShards: readonly LayerShard[],
  logger: Logger,
  signal: AbortSignal,
): Promise<Provider> {
  const { ep, numThreads, gpuMemoryBytes } = config;
  const { provider, reason, gpu } = await chooseProvider({
    ep,
    geometry: store,
    numThreads,
    role: 'coordinator',
    gpuMemoryBytes,
    needBytes: gpuNeedBytes(store, isHeldWith(localShards)),
    signal,
  });
  logger.info({ provider, reason, gpuMemory: gpu?.source }, 'computing');
  if (!isGpu(provider)) {
    const budgetBytes = localMemoryBudget(config, machineResources().totalMemoryBytes);
    requireLocalMemory(store, localShards, provider, budgetBytes);
  }
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
