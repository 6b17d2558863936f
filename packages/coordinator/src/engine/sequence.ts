import { type SequenceCache } from '../kv/sequence-cache.js';
import { Acceptance } from '../speculation/acceptance.js';
import { lookUpDraft, type Draft } from '../speculation/prompt-lookup.js';
import { AnswerSampler, type Sampled } from '../sampling/answer-sampler.js';
import { answerSeed } from '../sampling/random.js';
import { type SequenceRequest } from './engine-client.js';
import { type SchedulableSequence } from './scheduler.js';

/** A sequence that has its place: tokens so far, its KV cache, and the state of its sampling. */
export class Sequence implements SchedulableSequence {
  readonly id: number;
  readonly cache: SequenceCache;
  /** How well its drafts do. */
  readonly acceptance = new Acceptance();
  /** KV-cache bytes set aside for it until it ends. */
  readonly reservedBytes: number;
  readonly #request: SequenceRequest;
  readonly #tokenIds: number[];
  readonly #sampler: AnswerSampler;

  /**
   * @param cache empty, with room for all tokens that the request allows
   * @param randomSeed Used when the request names none.
   */
  constructor(id: number, request: SequenceRequest, cache: SequenceCache, reservedBytes: number, randomSeed: number) {
    this.id = id;
    this.reservedBytes = reservedBytes;
    this.cache = cache;
    this.#request = request;
    this.#tokenIds = [...request.promptTokenIds];
    this.#sampler = new AnswerSampler({ request, seed: answerSeed(request.sampling.seed, randomSeed) });
  }

  get numTokens(): number {
    return this.#tokenIds.length;
  }

  get numComputed(): number {
    return this.cache.length;
  }

  get numGenerated(): number {
    return this.#tokenIds.length - this.#request.promptTokenIds.length;
  }

  /** The next `count` tokens to compute. */
  uncomputed(count: number): number[] {
    return this.#tokenIds.slice(this.numComputed, this.numComputed + count);
  }

  /** At most `maxTokens` tokens that may come next, by looking up the present end in prompt and answer. */
  lookUpDraft(maxTokens: number): Draft {
    return lookUpDraft(this.#tokenIds, Math.min(maxTokens, this.#request.maxTokens - this.numGenerated - 1));
  }

  /**
   * Samples the tokens that follow, as long as they are those that were drafted, and one more. Every token is sampled
   * from the model's own distribution with its own random number, so a draft changes how fast tokens come and not
   * which.
   *
   * @param logits fp32 [draft's length + 1, vocab]; changed in place.
   */
  accept(logits: Float32Array, draft: readonly number[]): Sampled[] {
    const vocabSize = logits.length / (draft.length + 1);
    const sampled: Sampled[] = [];
    for (let row = 0; row <= draft.length; row++) {
      const next = this.#sampler.next(logits.subarray(row * vocabSize, (row + 1) * vocabSize));
      this.#tokenIds.push(next.tokenId);
      sampled.push(next);
      if (next.finishReason !== undefined || next.tokenId !== draft[row]) break;
    }
    this.cache.truncate(this.numTokens - 1);
    return sampled;
  }
}
