import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type ThreadContract } from '../../threads/thread-contract.js';
import { isSettled, stampOf } from './file-stamp.js';

/** Large enough that reading costs nothing beside hashing, small enough to stay in the processor's cache. */
export const HASH_CHUNK_BYTES = 256 * 1024;

export interface HashedFile {
  /** Lower-case hex. */
  readonly sha256: string;
  /** Absent for a file that was being changed, or had been a moment before. */
  readonly stamp?: string;
}

/** What can be asked of a hashing thread: the hash of the file at a path. */
export interface HashContract extends ThreadContract {
  readonly data: undefined;
  readonly ready: undefined;
  readonly requests: { readonly hash: { readonly argument: string; readonly result: HashedFile } };
}

/**
 * Reads a file once, blocking the thread. One buffer for all files: a stream makes a new one for each chunk and goes
 * through the event loop for it, which halves the rate (files of 3 MB: 0.8 GB/s, this way 1.75 GB/s of the 1.9 that
 * sha256 allows).
 *
 * @throws the operating system's error.
 */
export function hashFile(file: string, buffer: Uint8Array): HashedFile {
  const startMs = Date.now();
  const fd = openSync(file, 'r');
  try {
    const before = fstatSync(fd, { bigint: true });
    const hash = createHash('sha256');
    for (;;) {
      const numBytes = readSync(fd, buffer, 0, buffer.byteLength, null);
      if (numBytes === 0) break;
      hash.update(buffer.subarray(0, numBytes));
    }
    const stamp = stampOf(before);
    const isLasting = isSettled(before, startMs) && stampOf(fstatSync(fd, { bigint: true })) === stamp;
    return { sha256: hash.digest('hex'), ...(isLasting && { stamp }) };
  } finally {
    closeSync(fd);
  }
}
