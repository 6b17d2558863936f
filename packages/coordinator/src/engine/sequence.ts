import { type BlockPool } from '../kv/block-pool.js';
import { BLOCK_TOKENS } from '@expertmesh/kernels/kv-layout';
import { type BlockTable } from '../kv/block-table.js';
import { type PrefixChain } from '../kv/prefix-chain.js';
import { type DraftableSequence } from './draft-source.js';
import { byRank, lacksPromptLogprobs, type Submission } from './submission.js';
import { type SampledToken, type TokenSampler } from './token-sampler.js';

/** Most tokens that a step computes ahead of one sequence because they are forced. */
const MAX_FORCED_TOKENS = 64;

/** One answer with the prompt before it: its tokens so far, where their keys and values are, and its sampler. */
export class Sequence implements DraftableSequence {
  readonly submission: Submission;
  readonly answerIndex: number;
  readonly table: BlockTable;
  /** While its blocks are being read from disk, it takes part in no step; a new object for every time. */
  restoring: object | undefined;
  readonly #sampler: TokenSampler;
  readonly #chain: PrefixChain;
  readonly #tokenIds: number[];
  #numPublished = 0;
  #forced: readonly number[] = [];
  /** As long as what is forced is accepted: the model may write the same bytes in other tokens. */
  #mostForced = MAX_FORCED_TOKENS;

  /** @param table empty, or that of the sequence it is forked from */
  constructor(
    submission: Submission,
    answerIndex: number,
    parts: { readonly table: BlockTable; readonly sampler: TokenSampler; readonly chain: PrefixChain },
  ) {
    this.submission = submission;
    this.answerIndex = answerIndex;
    this.table = parts.table;
    this.#sampler = parts.sampler;
    this.#chain = parts.chain;
    const { promptTokenIds, resumedTokenIds = [] } = submission.request;
    this.#tokenIds = [...promptTokenIds, ...resumedTokenIds];
  }

  get tokenIds(): readonly number[] {
    return this.#tokenIds;
  }

  get numTokens(): number {
    return this.#tokenIds.length;
  }

  get numComputed(): number {
    return this.table.length;
  }

  get numGenerated(): number {
    return this.numTokens - this.submission.request.promptTokenIds.length;
  }

  /** Generated here: without those that it was resumed with. */
  get numSampled(): number {
    return this.numGenerated - (this.submission.request.resumedTokenIds?.length ?? 0);
  }

  get numTokensLeft(): number {
    return this.submission.request.maxTokens - this.numGenerated;
  }

  /** Logits of every row are needed, so nothing that others have computed helps. */
  get needsAllRows(): boolean {
    return this.numGenerated === 0 && lacksPromptLogprobs(this.submission);
  }

  /** The next `count` tokens to compute. */
  uncomputed(count: number): number[] {
    return this.#tokenIds.slice(this.numComputed, this.numComputed + count);
  }

  forced(maxTokens: number): readonly number[] {
    this.#forced = this.#sampler.forced(Math.min(maxTokens, this.numTokensLeft - 1, this.#mostForced));
    return this.#forced;
  }

  /** Another answer to the prompt, before anything has been sampled. */
  fork(answerIndex: number, sampler: TokenSampler): Sequence {
    const parts = { table: this.table.fork(), sampler, chain: this.#chain.fork() };
    return new Sequence(this.submission, answerIndex, parts);
  }

  /**
   * Samples the tokens that follow, as long as they are those that were drafted, and one more. Every token is sampled
   * from the model's own distribution with its own random number, so a draft changes how fast tokens come and not
   * which.
   *
   * @param logits fp32 [draft's length + 1, vocab]; changed in place.
   */
  accept(logits: Float32Array, draft: readonly number[]): SampledToken[] {
    const vocabSize = logits.length / (draft.length + 1);
    const sampled: SampledToken[] = [];
    for (let row = 0; row <= draft.length; row++) {
      const next = this.#sampler.next(logits.subarray(row * vocabSize, (row + 1) * vocabSize));
      this.#tokenIds.push(next.tokenId);
      sampled.push(next);
      if (next.finishReason !== undefined || next.tokenId !== draft[row]) break;
    }
    this.table.truncate(this.numTokens - 1);
    if (draft.length > 0 && draft === this.#forced) this.#learn(draft.length, sampled.length - 1);
    return sampled;
  }

  /** The hash of the block that the next token to compute is in; undefined where not all its tokens are known. */
  nextBlockHash(): string | undefined {
    const blockIndex = Math.floor(this.numComputed / BLOCK_TOKENS);
    // The last token is always computed: its logits say what follows.
    const isFull = (blockIndex + 1) * BLOCK_TOKENS < this.numTokens;
    return isFull ? this.#chain.at(blockIndex, this.#tokenIds) : undefined;
  }

  /** Whether what it computes next begins a block. */
  get isAtBlockBorder(): boolean {
    return this.numComputed % BLOCK_TOKENS === 0;
  }

  /** Blocks that it could take over as they are, from the present one on. */
  *knownBlocks(pool: BlockPool): Iterable<number> {
    if (this.needsAllRows || !this.isAtBlockBorder) return;
    const numFull = Math.floor((this.numTokens - 1) / BLOCK_TOKENS);
    for (let index = this.numComputed / BLOCK_TOKENS; index < numFull; index++) {
      const blockId = pool.find(this.#chain.at(index, this.#tokenIds));
      if (blockId === undefined) return;
      yield blockId;
    }
  }

  /** Takes over blocks that others have computed. Returns the tokens in them. */
  adopt(pool: BlockPool): number {
    const before = this.table.length;
    for (const blockId of this.knownBlocks(pool)) this.table.adopt(blockId);
    return this.table.length - before;
  }

  /** Lets others find the blocks that are full now. */
  publish(pool: BlockPool): void {
    const numFull = Math.floor(this.numComputed / BLOCK_TOKENS);
    for (; this.#numPublished < numFull; this.#numPublished++) {
      const blockId = this.table.blockIds[this.#numPublished] ?? 0;
      pool.publish(blockId, this.#chain.at(this.#numPublished, this.#tokenIds));
    }
  }

  #learn(numForced: number, numAccepted: number): void {
    this.#mostForced = numAccepted < numForced ? numAccepted + 1 : Math.min(2 * this.#mostForced, MAX_FORCED_TOKENS);
  }

  /** Gives its blocks back; its tokens will be computed again where it goes on. */
  release(): void {
    this.table.release();
    this.restoring = undefined;
    this.#numPublished = 0;
  }
}

/** Whose turn comes first: negative for `a`. */
export function bySequenceRank(a: Sequence, b: Sequence): number {
  return byRank(a.submission, b.submission) || a.answerIndex - b.answerIndex;
}
