import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type ExpertStore } from '../expert-store/expert-store.js';
import { MANIFEST_FILE_NAME } from '../expert-store/manifest.js';
import { BlobVerification, type VerifyOptions } from '../expert-store/verification/blob-verification.js';

export interface FileFault {
  /** As in the manifest. */
  readonly path: string;
  readonly kind: 'missing' | 'damaged';
  readonly reason: string;
}

export interface InspectOptions extends VerifyOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: { readonly doneBytes: number; readonly totalBytes: number }) => void;
}

/**
 * Compares files of the store with the manifest, several at a time. What was found right is remembered as it is found,
 * so that after an interruption the mode `changed` goes on where it was.
 *
 * @param paths of the manifest
 * @throws ExpertmeshError `cancelled` after an abort.
 */
export async function findFaults(
  store: ExpertStore,
  paths: readonly string[],
  { signal, onProgress, ...verify }: InspectOptions,
): Promise<FileFault[]> {
  const totalBytes = paths.reduce((sum, path) => sum + store.blob(path).sizeBytes, 0);
  const verification = new BlobVerification(store, paths, verify, signal);
  const faults: FileFault[] = [];
  let doneBytes = 0;
  try {
    for (const path of paths) {
      const fault = await faultOf(path, verification);
      if (fault !== undefined) faults.push(fault);
      doneBytes += store.blob(path).sizeBytes;
      onProgress?.({ doneBytes, totalBytes });
    }
  } finally {
    await verification.end();
  }
  return faults;
}

async function faultOf(path: string, verification: BlobVerification): Promise<FileFault | undefined> {
  try {
    await verification.passed([path]);
    return undefined;
  } catch (thrown) {
    const { code, message } = ExpertmeshError.from(thrown);
    if (code !== 'not_found' && code !== 'data_loss' && code !== 'failed_precondition') throw thrown;
    return { path, kind: code === 'not_found' ? 'missing' : 'damaged', reason: message };
  }
}

/** All that the manifest lists: the blobs, and the files beside them. */
export function allPaths({ manifest }: ExpertStore): string[] {
  return [...manifest.files, ...manifest.blobs].map(({ path }) => path);
}

/** Files in the store's directory that its manifest does not list, which nobody reads. */
export async function findExtraFiles(store: ExpertStore): Promise<string[]> {
  const known = new Set([MANIFEST_FILE_NAME, ...allPaths(store)]);
  const entries = await readdir(store.dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => relative(store.dir, join(parentPath, name)).split(sep).join('/'))
    .filter((path) => !known.has(path))
    .sort();
}
