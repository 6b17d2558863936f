import { type BlockMemory } from './block-memory.js';
import { type BlockPool } from './block-pool.js';
import { BLOCK_TOKENS, blocksOf } from '@expertmesh/kernels/kv-layout';
import { type CacheView } from './cache-view.js';

/** A pool and the memory of its blocks. */
export interface KvBlocks {
  readonly pool: BlockPool;
  readonly memory: Pick<BlockMemory, 'copyBlock'>;
}

const FIRST_CAPACITY = 8;

/**
 * The blocks of one sequence. It grows block by block as tokens come. Blocks may be shared with others: a full one for
 * good, one that is partly filled until it has to be written, when it is copied.
 */
export class BlockTable implements CacheView {
  readonly #blocks: KvBlocks;
  #ids = new Int32Array(FIRST_CAPACITY);
  #numBlocks = 0;
  #length = 0;
  #view = new Int32Array();

  constructor(blocks: KvBlocks) {
    this.#blocks = blocks;
  }

  get length(): number {
    return this.#length;
  }

  get blockIds(): Int32Array {
    return this.#view;
  }

  /** Blocks that it takes to store so many more tokens. */
  numMissing(numTokens: number): number {
    if (numTokens === 0) return 0;
    return blocksOf(this.#length + numTokens) - this.#numBlocks + (this.#mustCopy() ? 1 : 0);
  }

  /** How many more tokens can be stored with at most `numBlocks` more blocks. */
  roomWith(numBlocks: number): number {
    const own = numBlocks - (this.#mustCopy() ? 1 : 0);
    return own < 0 ? 0 : (this.#numBlocks + own) * BLOCK_TOKENS - this.#length;
  }

  /**
   * Makes room for so many more tokens, which nobody else reads then. Only while no step is under way that uses the
   * table.
   *
   * @returns false, and changes nothing, when the pool has too few blocks.
   */
  reserve(numTokens: number): boolean {
    if (this.numMissing(numTokens) > this.#blocks.pool.numAvailable) return false;
    if (numTokens > 0 && this.#mustCopy()) this.#copyLast();
    while (this.#numBlocks < blocksOf(this.#length + numTokens)) {
      const blockId = this.#blocks.pool.allocate();
      if (blockId === undefined) return false;
      this.#push(blockId);
    }
    return true;
  }

  /** Makes tokens count that every layer has stored. */
  advance(numTokens: number): void {
    this.#length += numTokens;
  }

  /** Forgets all tokens behind the first `length`, and gives back the blocks that only they had. */
  truncate(length: number): void {
    this.#length = Math.min(this.#length, length);
    while (this.#numBlocks > blocksOf(this.#length)) this.#pop();
  }

  /** Appends a full block that others have computed, to a table of full blocks. */
  adopt(blockId: number): void {
    this.#blocks.pool.retain(blockId);
    this.#push(blockId);
    this.#length += BLOCK_TOKENS;
  }

  /** A table of the same blocks. */
  fork(): BlockTable {
    const fork = new BlockTable(this.#blocks);
    for (const blockId of this.#view) {
      this.#blocks.pool.retain(blockId);
      fork.#push(blockId);
    }
    fork.#length = this.#length;
    return fork;
  }

  /** Gives all blocks back, the last first: of what stays known, the ends of sequences are dropped first. */
  release(): void {
    const { pool } = this.#blocks;
    const numFull = Math.floor(this.#length / BLOCK_TOKENS);
    for (let index = 0; index < numFull; index++) pool.noteChainLength(this.#ids[index] ?? 0, numFull);
    this.truncate(0);
  }

  // A block that is full is never written again.
  #mustCopy(): boolean {
    if (this.#length % BLOCK_TOKENS === 0) return false;
    return this.#blocks.pool.numReferences(this.#ids[this.#lastIndex()] ?? 0) > 1;
  }

  #copyLast(): void {
    const { pool, memory } = this.#blocks;
    const index = this.#lastIndex();
    const shared = this.#ids[index] ?? 0;
    const own = pool.allocate();
    if (own === undefined) return;
    memory.copyBlock(shared, own);
    this.#ids[index] = own;
    pool.release(shared);
  }

  #lastIndex(): number {
    return Math.floor(this.#length / BLOCK_TOKENS);
  }

  #push(blockId: number): void {
    if (this.#numBlocks === this.#ids.length) {
      const ids = new Int32Array(2 * this.#ids.length);
      ids.set(this.#ids);
      this.#ids = ids;
    }
    this.#ids[this.#numBlocks++] = blockId;
    this.#view = this.#ids.subarray(0, this.#numBlocks);
  }

  #pop(): void {
    this.#blocks.pool.release(this.#ids[--this.#numBlocks] ?? 0);
    this.#view = this.#ids.subarray(0, this.#numBlocks);
  }
}
