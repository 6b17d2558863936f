import { utimes } from 'node:fs/promises';
import { type ExpertStore } from '../expert-store/expert-store.js';

/**
 * Has the next start hash a file of the store whatever it has hashed before, by another time of its change: what was
 * found damaged in memory may have been right on the disk, and would be taken for verified. Never rejects: where the
 * store is read-only, `--verify always` is what finds it.
 */
export async function forgetVerification(store: Pick<ExpertStore, 'requireBlobFile'>, path: string): Promise<void> {
  const now = new Date();
  await store
    .requireBlobFile(path)
    .then((file) => utimes(file, now, now), cannotBeTouched)
    .catch(cannotBeTouched);
}

const cannotBeTouched = (): undefined => undefined;
