import { createHash } from 'node:crypto';
import { type DirectoryBudget } from '@expertmesh/shared/config/directory-budget';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ThreadClient } from '@expertmesh/shared/threads/thread-client';
import { type BlockArchive } from '../block-archive.js';
import { type DroppedBlock } from '../block-pool.js';
import { type PrefixHash } from '../prefix-chain.js';
import { type DiskContract } from './disk-contract.js';

/** Shorter prefixes are computed again in the time in which they would be read. */
const MIN_CHAIN_BLOCKS = 8;
/** Copies of blocks that may wait for the disk; what comes then is not kept. */
const MAX_PENDING_BYTES = 256 * 2 ** 20;

export interface DiskArchiveOptions extends DirectoryBudget {
  /** All that the bytes of a block depend on: blocks of another identity are not seen. */
  readonly identity: readonly (string | number)[];
  readonly readBlock: (blockId: number) => Uint8Array;
  /** Told once when blocks can no longer be written, until they can again. */
  readonly onFailure: (error: ExpertmeshError) => void;
}

/** What can be asked of the thread. */
type DiskThread = Pick<ThreadClient<DiskContract>, 'request' | 'close'>;

/** Keeps blocks of long prefixes on disk when memory drops them. Nothing waits for it but who wants one back. */
export class DiskArchive implements BlockArchive {
  readonly #options: DiskArchiveOptions;
  readonly #thread: DiskThread;
  readonly #prefixes: Set<PrefixHash>;
  readonly #writes = new Set<Promise<void>>();
  #pendingBytes = 0;
  #hasFailed = false;

  constructor(options: DiskArchiveOptions, thread: DiskThread, prefixes: readonly PrefixHash[]) {
    this.#options = options;
    this.#thread = thread;
    this.#prefixes = new Set(prefixes);
  }

  /** @throws ExpertmeshError when the directory cannot be used. */
  static async open(options: DiskArchiveOptions): Promise<DiskArchive> {
    const { dir, maxBytes, identity } = options;
    const name = createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32);
    const { thread, ready } = await ThreadClient.start<DiskContract>({
      name: `the thread that keeps KV blocks in ${dir}`,
      entry: new URL('./disk-thread.js', import.meta.url),
      data: { dir, maxBytes, identity: name },
      on: {},
      onDeath: options.onFailure,
    });
    return new DiskArchive(options, thread, ready);
  }

  has(prefix: PrefixHash): boolean {
    return this.#prefixes.has(prefix);
  }

  /** Keeps a copy of a block that memory drops, if its prefix is long and the disk keeps up. */
  keep(dropped: DroppedBlock): void {
    if (this.#isWorthKeeping(dropped)) this.#write(dropped);
  }

  async read(prefix: PrefixHash): Promise<Uint8Array | undefined> {
    try {
      const bytes = await this.#thread.request('read', prefix);
      if (bytes === undefined) this.#prefixes.delete(prefix);
      return bytes;
    } catch {
      // The thread has ended, which onFailure was told: the block has to be computed.
      this.#prefixes.delete(prefix);
      return undefined;
    }
  }

  /** Keeps what is still in memory, the most recently used first, as fast as the disk can; ends the thread then. */
  async close(blocks: Iterable<DroppedBlock>): Promise<void> {
    for (const block of blocks) {
      if (this.#hasFailed) break;
      while (!this.#hasRoom()) await Promise.race(this.#writes);
      this.keep(block);
    }
    await Promise.all(this.#writes);
    await this.#thread.close(new AbortController().signal);
  }

  #isWorthKeeping({ prefix, chainLength }: DroppedBlock): boolean {
    return chainLength >= MIN_CHAIN_BLOCKS && !this.#prefixes.has(prefix) && this.#hasRoom();
  }

  #hasRoom(): boolean {
    return this.#pendingBytes < MAX_PENDING_BYTES;
  }

  #write({ blockId, prefix }: DroppedBlock): void {
    // Its place in memory is about to be overwritten.
    const bytes = this.#options.readBlock(blockId).slice();
    const sizeBytes = bytes.length;
    this.#prefixes.add(prefix);
    this.#pendingBytes += sizeBytes;
    const written = this.#thread
      .request('write', { prefix, bytes }, { transfer: [bytes.buffer] })
      .then(
        (deleted) => {
          for (const other of deleted) this.#prefixes.delete(other);
          this.#hasFailed = false;
        },
        (error: unknown) => {
          this.#prefixes.delete(prefix);
          if (!this.#hasFailed) this.#options.onFailure(ExpertmeshError.from(error));
          this.#hasFailed = true;
        },
      )
      .finally(() => {
        this.#pendingBytes -= sizeBytes;
        this.#writes.delete(written);
      });
    this.#writes.add(written);
  }
}
