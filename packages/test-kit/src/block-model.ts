import { type Chunk, type ChunkResult } from '@expertmesh/coordinator/engine/forward';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

export const BLOCK_MODEL_VOCAB = 24;
/** A chunk with this token fails, as if its experts were away. */
export const FAILING_TOKEN = BLOCK_MODEL_VOCAB - 1;

const BLOCK_TOKENS = 32;

/**
 * A model that computes each token from what is stored in the blocks before it, all of it: a block that is stale, or
 * someone else's, gives other tokens. It is as deterministic as a real one and costs next to nothing.
 */
export class BlockModel {
  /** One number a token and block. */
  readonly #content: Float64Array;
  readonly numBlocks: number;

  constructor(numBlocks: number) {
    this.numBlocks = numBlocks;
    this.#content = new Float64Array(numBlocks * BLOCK_TOKENS).fill(NaN);
  }

  readonly blockBytes = 8 * BLOCK_TOKENS;

  copyBlock(from: number, to: number): void {
    this.#content.copyWithin(to * BLOCK_TOKENS, from * BLOCK_TOKENS, (from + 1) * BLOCK_TOKENS);
  }

  readBlock(blockId: number): Uint8Array {
    return new Uint8Array(this.#content.slice(blockId * BLOCK_TOKENS, (blockId + 1) * BLOCK_TOKENS).buffer);
  }

  writeBlock(blockId: number, bytes: Uint8Array): void {
    const aligned = bytes.slice();
    this.#content.set(new Float64Array(aligned.buffer), blockId * BLOCK_TOKENS);
  }

  /** Stores the chunk's tokens, and returns its logits. */
  compute({ cache, tokenIds, numLogits }: Chunk): ChunkResult {
    if (tokenIds.includes(FAILING_TOKEN))
      return { ok: false, error: new ExpertmeshError('unavailable', 'worker w1 is away') };
    const at = (position: number): number =>
      (cache.blockIds[Math.floor(position / BLOCK_TOKENS)] ?? NaN) * BLOCK_TOKENS + (position % BLOCK_TOKENS);
    let sum = 0;
    for (let position = 0; position < cache.length; position++) sum = added(sum, this.#content[at(position)] ?? NaN);
    const logits = new Float32Array(numLogits * BLOCK_MODEL_VOCAB);
    const firstRow = tokenIds.length - numLogits;
    for (const [row, tokenId] of tokenIds.entries()) {
      const state = stateOf(sum, tokenId);
      this.#content[at(cache.length + row)] = state;
      sum = added(sum, state);
      if (row >= firstRow) logits.set(logitsOf(state), (row - firstRow) * BLOCK_MODEL_VOCAB);
    }
    return { ok: true, logits };
  }
}

/** What the model knows after each of the tokens, without blocks. */
export function* statesAfter(tokenIds: Iterable<number>): Iterable<number> {
  let sum = 0;
  for (const tokenId of tokenIds) {
    const state = stateOf(sum, tokenId);
    sum = added(sum, state);
    yield state;
  }
}

/** fp32 [vocab]; the token that makes chunks fail is never drawn. */
export function logitsOf(state: number): Float32Array {
  const logits = new Float32Array(BLOCK_MODEL_VOCAB);
  for (let tokenId = 0; tokenId < FAILING_TOKEN; tokenId++)
    logits[tokenId] = ((Math.imul(state * 32 + tokenId, 0x9e3779b1) >>> 8) % 1000) / 100;
  logits[FAILING_TOKEN] = -Infinity;
  return logits;
}

// What is not a number stays so, and is refused when a token is sampled.
const added = (sum: number, state: number): number => (sum * 31 + state) % 1_000_003;

const stateOf = (sum: number, tokenId: number): number => (sum * 17 + tokenId * 7919 + 1) % 999_983;
