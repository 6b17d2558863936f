import { type CoordinatorConfig } from '@expertmesh/shared/config/coordinator-config';
import { type Lifecycle } from '@expertmesh/shared/process/lifecycle';
import { type Logger } from '@expertmesh/shared/process/logger';
import { systemClock } from '@expertmesh/shared/rpc/clock';
import { AccessControl } from './access-control.js';
import { type ApiKey, hashOfKey } from './api-key.js';
import { readKeyFile, watchKeyFile } from './watched-key-file.js';

/**
 * Reads the keys, and reads their file again whenever it changes.
 *
 * @throws ExpertmeshError as readKeyFile.
 */
export async function openAccess(
  { apiKey, apiKeys: path, adminKey }: Pick<CoordinatorConfig, 'apiKey' | 'apiKeys' | 'adminKey'>,
  logger: Logger,
  lifecycle: Lifecycle,
): Promise<AccessControl> {
  const own: readonly ApiKey[] = apiKey === undefined ? [] : [{ name: 'default', hash: hashOfKey(apiKey), limits: {} }];
  const ofFile = path === undefined ? [] : await readKeyFile(path);
  const keys = apiKey === undefined && path === undefined ? undefined : [...own, ...ofFile];
  const access = new AccessControl({ keys, adminKey, clock: systemClock });
  if (keys !== undefined && adminKey === undefined)
    logger.warn('there are API keys and no --admin-key: whoever reaches the ports may administrate');
  if (path === undefined) return access;
  const stop = watchKeyFile(
    path,
    (read) => {
      access.setKeys([...own, ...read]);
    },
    logger,
  );
  lifecycle.onShutdown('the key file', async () => {
    stop();
    return Promise.resolve();
  });
  return access;
}
