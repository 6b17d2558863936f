import { createReadStream } from 'node:fs';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { openExpertStore } from '../expert-store/expert-store.js';
import { type FileSource } from './file-source.js';
import { requireSameStore } from './require-same-store.js';

/** @throws ExpertmeshError as openExpertStore, and `failed_precondition` for another store. */
export async function openDirectorySource(dir: string, storeId: string): Promise<FileSource> {
  const store = await openExpertStore(dir);
  requireSameStore(store.dir, store.storeId, storeId);
  return {
    name: store.dir,
    async *read({ path }, signal) {
      const file = await store.requireBlobFile(path);
      try {
        for await (const chunk of createReadStream(file, { signal })) yield chunk as Buffer;
      } catch (cause) {
        const message = `${file} cannot be read: ${ExpertmeshError.from(cause).message}`;
        throw new ExpertmeshError(signal.aborted ? 'cancelled' : 'data_loss', message, { cause });
      }
    },
    close: () => undefined,
  };
}
