import { type BlockArchive } from '../kv/block-archive.js';
import { type BlockMemory } from '../kv/block-memory.js';
import { type BlockPool } from '../kv/block-pool.js';
import { BLOCK_TOKENS } from '@expertmesh/kernels/kv-layout';
import { type Sequence } from './sequence.js';

export interface PrefixRestorerOptions {
  readonly pool: BlockPool;
  readonly memory: Pick<BlockMemory, 'writeBlock'>;
  readonly archive: BlockArchive;
}

/** Brings back blocks of prompts that were computed before and are no longer in memory. */
export class PrefixRestorer {
  readonly #options: PrefixRestorerOptions;

  constructor(options: PrefixRestorerOptions) {
    this.#options = options;
  }

  /** Whether there is something for the sequence to wait for. */
  hasNext(sequence: Sequence): boolean {
    return this.#next(sequence) !== undefined;
  }

  /**
   * Reads blocks into the sequence's table as long as there are any and the sequence wants them. Other sequences may
   * compute meanwhile: nobody else has the blocks that are written. Never fails: what cannot be read is computed.
   *
   * @returns the tokens that it brought.
   */
  async restore(sequence: Sequence, isWanted: () => boolean): Promise<number> {
    const { pool, archive } = this.#options;
    let numTokens = 0;
    for (let next = this.#next(sequence); next !== undefined; next = this.#next(sequence)) {
      const bytes = await archive.read(next);
      if (bytes === undefined || !isWanted() || !this.#append(sequence, bytes)) break;
      numTokens += BLOCK_TOKENS;
      sequence.publish(pool);
      numTokens += sequence.adopt(pool);
    }
    return numTokens;
  }

  #next(sequence: Sequence): string | undefined {
    if (sequence.needsAllRows || !sequence.isAtBlockBorder) return undefined;
    const hash = sequence.nextBlockHash();
    return hash !== undefined && this.#options.archive.has(hash) ? hash : undefined;
  }

  #append({ table }: Sequence, bytes: Uint8Array): boolean {
    if (!table.reserve(BLOCK_TOKENS)) return false;
    this.#options.memory.writeBlock(table.blockIds[table.blockIds.length - 1] ?? 0, bytes);
    table.advance(BLOCK_TOKENS);
    return true;
  }
}
