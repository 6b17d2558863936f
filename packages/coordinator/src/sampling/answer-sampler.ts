import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type AnswerRequest } from './answer-request.js';
import { type ConstraintState } from './constraint-state.js';
import { drawToken } from './draw-token.js';
import { argmax } from './largest.js';
import { tokenLogprobs } from './logprobs.js';
import { nothingLeft } from './nothing-left.js';
import { processorChain } from './processors/chain.js';
import { type LogitProcessor } from './processors/logit-processor.js';
import { uniform } from './random.js';
import { type TokenLogprobs } from './sampling-params.js';
import { ThinkingPhase } from './thinking-phase.js';

/** A token that an answer goes on with. */
export interface Sampled {
  readonly tokenId: number;
  /** There with the last token of the answer. */
  readonly finishReason: 'stop' | 'length' | undefined;
  /** There where the request asks for them. */
  readonly logprobs?: TokenLogprobs;
}

export interface AnswerSamplerOptions {
  readonly request: AnswerRequest;
  /** From `answerSeed`. */
  readonly seed: number;
  /** At its beginning; the sampler moves it on. */
  readonly constraint?: ConstraintState | undefined;
  /** What the constraint ends with; stop tokens also where the request has none. */
  readonly endTokenIds?: readonly number[] | undefined;
  /** Tokens of some bytes, for `forced`; without it a constraint's bytes are not told ahead. */
  readonly encode?: ((bytes: Uint8Array) => readonly number[]) | undefined;
}

/**
 * Chooses the tokens of one answer, and holds what that depends on. The chosen tokens depend on logits, request and
 * seed only: a token's random number follows from the seed and its place in the answer. So an answer goes on from
 * tokens that another sampler has chosen as that one would have.
 */
export class AnswerSampler {
  readonly #options: AnswerSamplerOptions;
  readonly #thinking: ThinkingPhase | undefined;
  readonly #chain: readonly LogitProcessor[];
  readonly #stopTokenIds: ReadonlySet<number>;
  readonly #answer: number[] = [];

  /** @throws ExpertmeshError `invalid_argument` where the constraint forbids a token that is resumed. */
  constructor(options: AnswerSamplerOptions) {
    const { request, constraint, endTokenIds = [] } = options;
    this.#options = options;
    this.#stopTokenIds = new Set([...request.stopTokenIds, ...endTokenIds]);
    this.#thinking = request.thinking && new ThinkingPhase(request.thinking, constraint === undefined);
    this.#chain = processorChain(request, this.#stopTokenIds, constraint, this.#thinking);
    this.#resume(request.resumedTokenIds ?? []);
  }

  /**
   * Chooses the next token and adds it to the answer.
   *
   * @param logits fp32 [vocab]; changed in place.
   * @throws ExpertmeshError `data_loss` when a logit is not a number, `invalid_argument` when the request's fields
   * together forbid every token.
   */
  next(logits: Float32Array): Sampled {
    const numTop = this.#options.request.logprobs?.answer;
    if (numTop === undefined) return this.#add(this.#choose(logits));
    const unbent = this.#chain.length === 0 ? logits : keep(logits);
    const tokenId = this.#choose(logits);
    return { ...this.#add(tokenId), logprobs: tokenLogprobs(unbent, tokenId, numTop) };
  }

  /**
   * Tokens that are very likely to come next, whatever the model computes: those that close thinking, and those that
   * the constraint leaves one way for. To be verified as any draft is, since there may be other tokens for the bytes.
   */
  forced(maxTokens: number): readonly number[] {
    const { request, constraint, encode } = this.#options;
    const most = Math.min(maxTokens, request.maxTokens - this.#answer.length - 1);
    if (most < 1) return [];
    const closing = this.#thinking?.closing ?? [];
    const answers = closing.length > 0 || (this.#thinking?.phase ?? 'answering') === 'answering';
    const ahead = answers && constraint !== undefined && encode !== undefined ? tokensAhead(constraint, encode) : [];
    return [...closing, ...ahead].slice(0, most);
  }

  // Everything that the next token depends on follows from the tokens before it.
  #resume(tokenIds: readonly number[]): void {
    try {
      for (const tokenId of tokenIds) this.#add(tokenId);
    } catch (cause) {
      const message = `resume_token_ids is no answer to this request: ${ExpertmeshError.from(cause).message}`;
      throw new ExpertmeshError('invalid_argument', message, { param: 'resume_token_ids', cause });
    }
  }

  #choose(logits: Float32Array): number {
    const closing = this.#thinking?.closing[0];
    if (closing !== undefined) return closing;
    for (const processor of this.#chain) processor.apply(logits, this.#answer);
    const { sampling } = this.#options.request;
    const best = argmax(logits);
    if (logits[best] === -Infinity) throw nothingLeft(this.#chain, this.#answer, logits.length);
    if (sampling.temperature === 0 || sampling.topK === 1) return best;
    return drawToken(logits, sampling, best, uniform(this.#options.seed, this.#answer.length));
  }

  #add(tokenId: number): Sampled {
    this.#answer.push(tokenId);
    for (const processor of this.#chain) processor.observe?.(tokenId);
    this.#thinking?.observe(tokenId);
    if (this.#stopTokenIds.has(tokenId)) return { tokenId, finishReason: 'stop' };
    return { tokenId, finishReason: this.#answer.length >= this.#options.request.maxTokens ? 'length' : undefined };
  }
}

// Whoever plans a step must not fail for one answer: what is wrong with its grammar is told by `next` when it gets
// there.
function tokensAhead(constraint: ConstraintState, encode: (bytes: Uint8Array) => readonly number[]): readonly number[] {
  try {
    const bytes = constraint.forcedBytes();
    return bytes.length === 0 ? [] : encode(bytes);
  } catch {
    return [];
  }
}

// One array for all calls: it is as long as the vocabulary, and a call has done with it when it returns.
let kept = new Float32Array();

function keep(logits: Float32Array): Float32Array {
  if (kept.length !== logits.length) kept = new Float32Array(logits.length);
  kept.set(logits);
  return kept;
}
