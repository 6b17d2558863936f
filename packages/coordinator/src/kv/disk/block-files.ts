import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { type PrefixHash } from '../prefix-chain.js';
import { decodeBlockFile, encodeBlockFile } from './block-file.js';

const EXTENSION = '.kv';

export interface BlockFilesOptions {
  /** It may have blocks of other stores and dtypes, which count and are deleted like the others. */
  readonly dir: string;
  readonly maxBytes: number;
  /** Of the store, the dtype, and all else that bytes of a block depend on. */
  readonly identity: string;
}

/**
 * Blocks in files, `<dir>/<identity>/<two digits>/<prefix hash>.kv`, no more than so many bytes: the least recently
 * used ones are deleted. All calls block, so it lives in a thread of its own. A file is written beside its place and
 * moved, and is believed only as far as its checksum: a broken one is deleted.
 */
export class BlockFiles {
  readonly #dir: string;
  readonly #maxBytes: number;
  readonly #identity: string;
  /** Sizes by path below the directory, least recently used first. */
  readonly #sizes = new Map<string, number>();
  #numBytes = 0;

  /** @throws when the directory cannot be made or read. */
  constructor({ dir, maxBytes, identity }: BlockFilesOptions) {
    this.#dir = dir;
    this.#maxBytes = maxBytes;
    this.#identity = identity;
    mkdirSync(join(dir, identity), { recursive: true, mode: 0o700 });
    for (const { path, sizeBytes } of filesOf(dir)) this.#add(path, sizeBytes);
    this.#shrink(maxBytes);
  }

  /** Those of this identity. */
  prefixes(): PrefixHash[] {
    return [...this.#sizes.keys()].flatMap((path) => this.#prefixOf(path) ?? []);
  }

  /** @returns those that had to be deleted for it. */
  write(prefix: PrefixHash, bytes: Uint8Array): PrefixHash[] {
    const path = this.#pathOf(prefix);
    const file = encodeBlockFile(this.#nameOf(prefix), bytes);
    const deleted = this.#shrink(this.#maxBytes - file.length);
    const target = join(this.#dir, path);
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    writeFileSync(`${target}.tmp`, file, { mode: 0o600 });
    renameSync(`${target}.tmp`, target);
    this.#remove(path);
    this.#add(path, file.length);
    return deleted;
  }

  /** undefined where it is not there, or broken. */
  read(prefix: PrefixHash): Uint8Array | undefined {
    const path = this.#pathOf(prefix);
    const bytes = this.#readWhole(path, prefix);
    const sizeBytes = this.#sizes.get(path);
    if (bytes === undefined) {
      this.#delete(path);
    } else if (sizeBytes !== undefined) {
      this.#remove(path);
      this.#add(path, sizeBytes);
      const now = new Date();
      utimesSync(join(this.#dir, path), now, now);
    }
    return bytes;
  }

  #readWhole(path: string, prefix: PrefixHash): Uint8Array | undefined {
    try {
      return decodeBlockFile(this.#nameOf(prefix), readFileSync(join(this.#dir, path)));
    } catch {
      // It is gone, or the disk cannot read it: either way the block has to be computed.
      return undefined;
    }
  }

  #shrink(mostBytes: number): PrefixHash[] {
    const deleted: PrefixHash[] = [];
    for (const path of this.#sizes.keys()) {
      if (this.#numBytes <= mostBytes) break;
      this.#delete(path);
      const prefix = this.#prefixOf(path);
      if (prefix !== undefined) deleted.push(prefix);
    }
    return deleted;
  }

  #delete(path: string): void {
    rmSync(join(this.#dir, path), { force: true });
    this.#remove(path);
  }

  #add(path: string, sizeBytes: number): void {
    this.#sizes.set(path, sizeBytes);
    this.#numBytes += sizeBytes;
  }

  #remove(path: string): void {
    this.#numBytes -= this.#sizes.get(path) ?? 0;
    this.#sizes.delete(path);
  }

  #pathOf(prefix: PrefixHash): string {
    return join(this.#identity, prefix.slice(0, 2), `${prefix}${EXTENSION}`);
  }

  #prefixOf(path: string): PrefixHash | undefined {
    const [identity, , file] = path.split(sep);
    return identity === this.#identity ? file?.slice(0, -EXTENSION.length) : undefined;
  }

  #nameOf(prefix: PrefixHash): string {
    return `${this.#identity}/${prefix}`;
  }
}

/** All blocks below a directory, least recently used first; what was being written when a process died is deleted. */
function filesOf(dir: string): { path: string; sizeBytes: number }[] {
  const files: { path: string; sizeBytes: number; usedAtMs: number }[] = [];
  for (const path of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
    if (path.endsWith(`${EXTENSION}.tmp`)) rmSync(join(dir, path), { force: true });
    if (!path.endsWith(EXTENSION)) continue;
    const stat = statSync(join(dir, path), { throwIfNoEntry: false });
    if (stat !== undefined) files.push({ path, sizeBytes: stat.size, usedAtMs: stat.mtimeMs });
  }
  return files.sort((a, b) => a.usedAtMs - b.usedAtMs);
}
