import { type CoordinatorConfig } from '@expertmesh/shared/config/coordinator-config';
import { type Provider } from '@expertmesh/shared/config/execution-provider';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { estimateMemoryBytes } from '@expertmesh/shared/memory/memory-estimate';
import { packedBytesOfAll } from '@expertmesh/shared/expert-store/shard-blobs';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';

/** The part of the memory that the KV cache and local experts may take. */
const USABLE_MEMORY = 0.8;

/** What --memory-budget-bytes says, or else what the KV cache leaves of the usable memory. */
export function localMemoryBudget(
  { memoryBudgetBytes, kvCacheBytes }: Pick<CoordinatorConfig, 'memoryBudgetBytes' | 'kvCacheBytes'>,
  totalMemoryBytes: number,
): number {
  return memoryBudgetBytes ?? Math.max(0, Math.floor(totalMemoryBytes * USABLE_MEMORY) - kvCacheBytes);
}

/**
 * Checks that local experts fit the memory of this machine, before any of them is loaded.
 *
 * @throws ExpertmeshError `resource_exhausted` over the budget.
 */
export function requireLocalMemory(
  store: Pick<ExpertStore, 'blob' | 'quantisation'>,
  shards: readonly LayerShard[],
  provider: Provider,
  budgetBytes: number,
): void {
  const memoryBytes = estimateMemoryBytes(packedBytesOfAll(store, shards), store.quantisation, provider);
  if (memoryBytes <= budgetBytes) return;
  throw new ExpertmeshError(
    'resource_exhausted',
    `the local experts need about ${formatBytes(memoryBytes)} of memory, the budget of this coordinator is ` +
      (`${formatBytes(budgetBytes)}: add workers on other machines, ` +
        'pack with fewer bits, lower --kv-cache-bytes, or raise ') +
      '--memory-budget-bytes (EXPERTMESH_MEMORY_BUDGET_BYTES)',
  );
}
