import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type ExpertStore } from './expert-store.js';

const CHUNK_BYTES = 1024 * 1024;

/**
 * Reads a blob's file once and compares its size and sha256 with the manifest.
 *
 * @throws ExpertmeshError `not_found` for a missing file, `data_loss` for other bytes than were written, `cancelled` after an abort.
 */
export async function verifyBlob(store: ExpertStore, path: string, signal?: AbortSignal): Promise<void> {
  const file = await store.requireBlobFile(path);
  const expected = store.blob(path).sha256;
  const actual = await sha256OfFile(file, signal);
  if (actual !== expected) throw wrongHash(file, actual, expected);
}

/**
 * Does the same for the files beside the blobs: tokenizer, chat template and configuration. A damaged one would turn right tokens into
 * wrong text.
 */
export async function verifyFiles(store: ExpertStore): Promise<void> {
  for (const { path, sha256 } of store.manifest.files) {
    const file = join(store.dir, path);
    const actual = await sha256OfFile(file, undefined);
    if (actual !== sha256) throw wrongHash(file, actual, sha256);
  }
}

const wrongHash = (file: string, actual: string, expected: string): ExpertmeshError =>
  new ExpertmeshError(
    'data_loss',
    `${file} has sha256 ${actual}, the manifest says ${expected}: copy this file from the store again, or pack again`,
  );

async function sha256OfFile(file: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: CHUNK_BYTES, signal }))
      hash.update(chunk as Buffer);
  } catch (cause) {
    if (signal?.aborted === true) throw new ExpertmeshError('cancelled', `checking ${file} was cancelled`, { cause });
    throw new ExpertmeshError('data_loss', `${file} cannot be read: ${ExpertmeshError.from(cause).message}`, { cause });
  }
  return hash.digest('hex');
}
