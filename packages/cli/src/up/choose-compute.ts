import { chooseProvider, type ProviderChoice } from '@expertmesh/compute/provider/choose-provider';
import { gpuNeedBytes } from '@expertmesh/compute/provider/gpu-memory';
import { type UpConfig } from '@expertmesh/shared/config/up-config';
import { openExpertStore } from '@expertmesh/shared/expert-store/expert-store';

/**
 * Chooses once what all processes of this machine compute with: a GPU must hold what they need together.
 *
 * @throws ExpertmeshError as chooseProvider; the signal's reason when it aborts.
 */
export async function chooseCompute(
  { ep, numThreads, gpuMemoryBytes }: UpConfig,
  storeDir: string,
  signal: AbortSignal,
): Promise<ProviderChoice> {
  const store = await openExpertStore(storeDir);
  // The embedding is read from its file, row by row.
  const needBytes = gpuNeedBytes(store, ({ kind }) => kind !== 'embedding');
  return chooseProvider({ ep, geometry: store, numThreads, role: 'coordinator', gpuMemoryBytes, needBytes, signal });
}
