import { statSync, type BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { type StoreFile } from '../manifest.js';
import { isSettled, stampOf } from '../verification/file-stamp.js';
import { VerifiedFiles } from '../verification/verified-files.js';

/** The blobs that this run wrote and hashed on the way, so that this machine need not read them again to know them. */
export class FreshBlobs {
  readonly #blobs: { readonly sha256: string; readonly stats: BigIntStats }[] = [];

  /** Looks at a blob that has just been finished in `dir`. */
  add(dir: string, { path, sha256 }: StoreFile): void {
    this.#blobs.push({ sha256, stats: statSync(join(dir, path), { bigint: true }) });
  }

  /** Remembers them as verified. Called when the store is published: until then nobody else writes to it. */
  async record(cacheDir: string): Promise<void> {
    const nowMs = Date.now();
    const verified = await VerifiedFiles.open(cacheDir);
    for (const { sha256, stats } of this.#blobs) if (isSettled(stats, nowMs)) verified.add(stampOf(stats), sha256);
    await verified.save();
  }
}
