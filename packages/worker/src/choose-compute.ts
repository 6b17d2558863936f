import { chooseProvider } from '@expertmesh/compute/provider/choose-provider';
import { gpuNeedBytes } from '@expertmesh/compute/provider/gpu-memory';
import { type Provider } from '@expertmesh/shared/config/execution-provider';
import { type WorkerConfig } from '@expertmesh/shared/config/worker-config';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type Logger } from '@expertmesh/shared/process/logger';

export interface WorkerCompute {
  readonly provider: Provider;
  /** Of the memory that the experts will be in. */
  readonly memoryBudgetBytes: number;
}

/**
 * Chooses what computes experts, and says so.
 *
 * @throws ExpertmeshError as chooseProvider; the signal's reason when it aborts.
 */
export async function chooseCompute(
  config: Pick<WorkerConfig, 'ep' | 'numThreads' | 'memoryBudgetBytes' | 'gpuMemoryBytes'>,
  store: ExpertStore,
  logger: Logger,
  signal: AbortSignal,
): Promise<WorkerCompute> {
  const { ep, numThreads, memoryBudgetBytes, gpuMemoryBytes } = config;
  const { provider, reason, gpu } = await chooseProvider({
    ep,
    geometry: store,
    numThreads,
    role: 'worker',
    gpuMemoryBytes,
    needBytes: gpuNeedBytes(store, ({ kind }) => kind === 'expert'),
    signal,
  });
  logger.info({ provider, reason, gpuMemory: gpu?.source }, 'computing');
  return { provider, memoryBudgetBytes: gpu?.bytes ?? memoryBudgetBytes };
}
