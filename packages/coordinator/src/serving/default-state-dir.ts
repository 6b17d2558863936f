import { join } from 'node:path';
import { type CoordinatorConfig } from '@expertmesh/shared/config/coordinator-config';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';

/**
 * Without NATS it is another one: who served alone before should not wait, as part of a cluster, for the workers that
 * it had then.
 */
export function defaultStateDir(
  { cacheDir, natsUrl, cluster }: Pick<CoordinatorConfig, 'cacheDir' | 'natsUrl' | 'cluster'>,
  { storeId }: Pick<ExpertStore, 'storeId'>,
): string {
  const store = storeId.slice(0, 16);
  return join(cacheDir, 'state', natsUrl === undefined ? store : `${cluster}-${store}`);
}
