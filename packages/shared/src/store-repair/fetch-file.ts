import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type ExpertStore } from '../expert-store/expert-store.js';
import { type StoreFile } from '../expert-store/manifest.js';
import { type FileSource } from './file-source.js';

/** It is the own disk that fails, whoever is asked for the file. */
export class UnwritableStoreError extends ExpertmeshError {}

/**
 * Brings one file from another copy of the store into its place, by a rename, once it is on the disk and has the
 * manifest's size and sha256. Memory is bounded by a chunk.
 *
 * @throws ExpertmeshError as FileSource, and `data_loss` for other bytes than the manifest says; UnwritableStoreError
 * `resource_exhausted` for a full disk, `failed_precondition` for one that cannot be written.
 */
export async function fetchFile(
  store: Pick<ExpertStore, 'dir' | 'blob'>,
  path: string,
  source: FileSource,
  signal: AbortSignal,
): Promise<void> {
  const file = store.blob(path);
  const target = join(store.dir, path);
  // Other machines and containers may mend the same directory, and have processes of the same id.
  const partial = `${target}.${randomUUID()}.partial`;
  await onDisk(partial, () => mkdir(dirname(target), { recursive: true }));
  try {
    const handle = await onDisk(partial, () => open(partial, 'w'));
    try {
      await receive(handle, partial, file, source, signal);
    } finally {
      await handle.close();
    }
    await onDisk(target, () => rename(partial, target));
  } finally {
    await rm(partial, { force: true });
  }
}

async function receive(
  handle: FileHandle,
  partial: string,
  file: StoreFile,
  source: FileSource,
  signal: AbortSignal,
): Promise<void> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of source.read(file, signal)) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > file.sizeBytes) break;
    hash.update(chunk);
    await onDisk(partial, () => handle.writeFile(chunk));
  }
  if (sizeBytes !== file.sizeBytes)
    throw new ExpertmeshError(
      'data_loss',
      `${source.name} has ${String(sizeBytes)} bytes${sizeBytes > file.sizeBytes ? ' or more' : ''} of ${file.path}, ` +
        `the manifest says ${String(file.sizeBytes)}`,
    );
  const sha256 = hash.digest('hex');
  if (sha256 !== file.sha256)
    throw new ExpertmeshError(
      'data_loss',
      `${source.name} has ${file.path} with sha256 ${sha256}, the manifest says ${file.sha256}`,
    );
  await onDisk(partial, () => handle.sync());
}

async function onDisk<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    const { message } = ExpertmeshError.from(cause);
    const isFull = /ENOSPC|EDQUOT/.test(message);
    throw new UnwritableStoreError(
      isFull ? 'resource_exhausted' : 'failed_precondition',
      `${path} cannot be written (${message}): ` +
        (isFull ? 'free some space on its disk' : 'let this process write to the store, or mend it elsewhere'),
      { cause },
    );
  }
}
