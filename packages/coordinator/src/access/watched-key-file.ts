import { readFile } from 'node:fs/promises';
import { unwatchFile, watchFile } from 'node:fs';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type ApiKey } from './api-key.js';
import { parseKeyFile } from './key-file.js';

/** Polled, because a file that is mounted as a secret is a link that changes. */
const POLL_MS = 2000;

/** @throws ExpertmeshError `not_found` for a file that cannot be read, `invalid_argument` for one that is wrong. */
export async function readKeyFile(path: string): Promise<readonly ApiKey[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ExpertmeshError('not_found', `the key file ${path} cannot be read: ${String(cause)}`, { cause });
  });
  return parseKeyFile(text, path);
}

/**
 * Reads the file again when it has changed, and on SIGHUP. While it is wrong, the keys from before hold.
 *
 * @returns what ends it.
 */
export function watchKeyFile(path: string, onKeys: (keys: readonly ApiKey[]) => void, logger: Logger): () => void {
  const reread = (): void => {
    readKeyFile(path).then(
      (keys) => {
        onKeys(keys);
        logger.info({ path, numKeys: keys.length }, 'API keys have been read again');
      },
      (thrown: unknown) => {
        logger.error(`API keys stay as they were: ${ExpertmeshError.from(thrown).message}`);
      },
    );
  };
  watchFile(path, { interval: POLL_MS, persistent: false }, reread);
  process.on('SIGHUP', reread);
  return () => {
    unwatchFile(path, reread);
    process.off('SIGHUP', reread);
  };
}
