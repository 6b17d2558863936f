import { loadKernels } from '@expertmesh/kernels/kernels';

/** More than the caches of most machines hold. */
const MAX_READ_BYTES = 2 ** 28;
const MIN_READ_BYTES = 2 ** 24;

/**
 * Bytes per second at which so many threads together read memory one byte after the other, beside the event loop; 0
 * where the native kernels, which measure it, were not built. Takes up to a quarter of the budget for a moment.
 */
export async function measureMemoryRate(numThreads: number, memoryBudgetBytes: number): Promise<number> {
  const pool = loadKernels()?.createPool({ numThreads });
  if (pool === undefined) return 0;
  const readBytes = Math.min(MAX_READ_BYTES, Math.max(MIN_READ_BYTES, Math.floor(memoryBudgetBytes / 4)));
  try {
    return await pool.readBandwidth(readBytes);
  } finally {
    await pool.close();
  }
}
