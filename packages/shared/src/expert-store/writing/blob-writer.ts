import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { type StoreFile } from '../manifest.js';

/** Names of files that are being written; whatever ends so after a crash is of no use. */
const UNFINISHED_SUFFIX = '.unfinished';

const COPY_BYTES = 256 * 1024;

/**
 * Writes one file of the store under a temporary name, hashes it on the way, and gives it its name once it is complete
 * and on the disk. Bytes are appended in order; a tensor that is produced alongside another one is written ahead to its
 * place and adopted when the order comes to it, so that nothing has to be kept in memory.
 */
export class BlobWriter {
  readonly #file: string;
  readonly #fd: number;
  readonly #hash = createHash('sha256');
  #positionBytes = 0;

  constructor(file: string) {
    this.#file = file;
    this.#fd = this.#translate(() => {
      mkdirSync(dirname(file), { recursive: true });
      return openSync(file + UNFINISHED_SUFFIX, 'w+');
    });
  }

  append(bytes: Uint8Array): void {
    this.#write(bytes, this.#positionBytes);
    this.#hash.update(bytes);
    this.#positionBytes += bytes.byteLength;
  }

  /** Appends zeros up to an offset. */
  padTo(offsetBytes: number): void {
    if (offsetBytes < this.#positionBytes)
      throw new ExpertmeshError('internal', `${this.#file}: byte ${String(offsetBytes)} is already written`);
    this.append(new Uint8Array(offsetBytes - this.#positionBytes));
  }

  /** Writes bytes to a later place of the file, to be adopted when everything before them has been appended. */
  writeAhead(bytes: Uint8Array, offsetBytes: number): void {
    this.#write(bytes, offsetBytes);
  }

  /** Takes the next bytes, all of which were written ahead, as if they were appended now. */
  adopt(sizeBytes: number): void {
    const buffer = new Uint8Array(Math.min(sizeBytes, COPY_BYTES));
    const endBytes = this.#positionBytes + sizeBytes;
    while (this.#positionBytes < endBytes) {
      const wantedBytes = Math.min(buffer.byteLength, endBytes - this.#positionBytes);
      const numBytes = readSync(this.#fd, buffer, 0, wantedBytes, this.#positionBytes);
      if (numBytes === 0) throw new ExpertmeshError('internal', `${this.#file}: adopted bytes were never written`);
      this.#hash.update(buffer.subarray(0, numBytes));
      this.#positionBytes += numBytes;
    }
  }

  /** Flushes the file to the disk and gives it its name. */
  finish(): Omit<StoreFile, 'path'> {
    this.#translate(() => {
      fsyncSync(this.#fd);
      renameSync(this.#file + UNFINISHED_SUFFIX, this.#file);
    });
    return { sizeBytes: this.#positionBytes, sha256: this.#hash.digest('hex') };
  }

  /** Closes the file; one that was not finished stays under its temporary name until the next attempt. */
  close(): void {
    closeSync(this.#fd);
  }

  #write(bytes: Uint8Array, offsetBytes: number): void {
    this.#translate(() => {
      let doneBytes = 0;
      while (doneBytes < bytes.byteLength)
        doneBytes += writeSync(this.#fd, bytes, doneBytes, bytes.byteLength - doneBytes, offsetBytes + doneBytes);
    });
  }

  #translate<T>(write: () => T): T {
    try {
      return write();
    } catch (cause) {
      throw writeError(this.#file, cause);
    }
  }
}

/** A full disk is `resource_exhausted`, anything else that the operating system refuses is `failed_precondition`. */
export function writeError(file: string, cause: unknown): ExpertmeshError {
  const { message } = ExpertmeshError.from(cause);
  const isFull = /^(ENOSPC|EDQUOT)\b/.test(message);
  return isFull
    ? new ExpertmeshError('resource_exhausted', `no space is left for ${file}: free some, or choose another disk`, {
        cause,
      })
    : new ExpertmeshError('failed_precondition', `cannot write ${file}: ${message}`, { cause });
}
