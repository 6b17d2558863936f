import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { estimateMemoryBytes } from '@expertmesh/shared/memory/memory-estimate';
import { packedBytesOf } from '@expertmesh/shared/expert-store/shard-blobs';
import { moeLayerIndices } from '@expertmesh/shared/model/model-spec';
import { type ExpertSize } from './plan-inputs.js';

/** All experts of a model weigh the same. */
export function expertSizeOf(store: ExpertStore): ExpertSize {
  const [layerIndex = 0] = moeLayerIndices(store.spec);
  const packedBytes = packedBytesOf(store, { layerIndex, expertIds: [0] });
  return { packedBytes, memoryBytes: estimateMemoryBytes(packedBytes, store.quantisation, 'native') };
}
