import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { type ExpertStore } from '../expert-store.js';
import { wrongHash } from './blob-verification.js';

/**
 * Compares the files beside the blobs with the manifest: tokenizer, chat template and configuration. A damaged one
 * would turn right tokens into wrong text. They are small, so they are read every time.
 *
 * @throws ExpertmeshError `data_loss` for other bytes than were written, or a file that cannot be read.
 */
export async function verifyFiles(store: ExpertStore): Promise<void> {
  for (const { path, sha256 } of store.manifest.files) {
    const file = join(store.dir, path);
    const actual = createHash('sha256')
      .update(await read(file))
      .digest('hex');
    if (actual !== sha256) throw wrongHash(file, actual, sha256);
  }
}

async function read(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new ExpertmeshError('data_loss', `${file} cannot be read: ${ExpertmeshError.from(cause).message}`, { cause });
  }
}
