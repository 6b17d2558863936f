import { loadKernels } from '@expertmesh/kernels/kernels';
import { openExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { packedBytesOf } from '@expertmesh/shared/expert-store/shard-blobs';
import { estimateMemoryBytes } from '@expertmesh/shared/memory/memory-estimate';

/** What one expert of a store takes on a worker of this machine. */
export async function expertMemoryBytes(storeDir: string): Promise<number> {
  const store = await openExpertStore(storeDir);
  const provider = loadKernels() === undefined ? 'cpu' : 'native';
  return estimateMemoryBytes(packedBytesOf(store, { layerIndex: 0, expertIds: [0] }), store.quantisation, provider);
}
