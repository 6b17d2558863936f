import { describe, expect, it } from 'vitest';
import { type AnswerRequest } from './answer-request.js';
import { AnswerSampler, type AnswerSamplerOptions } from './answer-sampler.js';
import { type ConstraintState } from './constraint-state.js';
import { type SamplingParams, type ThinkingControl } from './sampling-params.js';
import { maskOf } from './token-mask.js';

const VOCAB_SIZE = 40;
const [A, B, C, END, OPEN, CLOSE, NEWLINE] = [0, 1, 2, 35, 36, 37, 38] as const;

const greedy: SamplingParams = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
};

function samplerOf(request: Partial<AnswerRequest>, options: Partial<AnswerSamplerOptions> = {}): AnswerSampler {
  const whole = { promptTokenIds: [5], maxTokens: 100, sampling: greedy, stopTokenIds: [END], ...request };
  return new AnswerSampler({ request: whole, seed: 1, ...options });
}

/** fp32 logits that like the tokens in this order, the first by far. */
function liking(...tokenIds: readonly number[]): Float32Array {
  const logits = new Float32Array(VOCAB_SIZE);
  for (const [place, tokenId] of tokenIds.entries()) logits[tokenId] = 10 - place;
  return logits;
}

const nextOf = (sampler: AnswerSampler, ...liked: readonly number[]): number => sampler.next(liking(...liked)).tokenId;

/** Asks for some words in turn and then for the end. */
class Words implements ConstraintState {
  readonly #tokenIds: readonly number[];
  #place: number;

  constructor(tokenIds: readonly number[], place = 0) {
    this.#tokenIds = tokenIds;
    this.#place = place;
  }

  get isComplete(): boolean {
    return this.#place >= this.#tokenIds.length;
  }

  get isFinished(): boolean {
    return this.isComplete;
  }

  mask(): Uint32Array {
    return maskOf([this.#tokenIds[this.#place] ?? END], VOCAB_SIZE);
  }

  accept(tokenId: number): void {
    expect(tokenId).toBe(this.#tokenIds[this.#place] ?? END);
    this.#place += 1;
  }

  clone(): Words {
    return new Words(this.#tokenIds, this.#place);
  }

  forcedBytes(): Uint8Array {
    return Uint8Array.from(this.#tokenIds.slice(this.#place));
  }
}

describe('AnswerSampler', () => {
  it('ends with a stop token, or with the most tokens', () => {
    const stopped = samplerOf({ maxTokens: 2 });
    expect(stopped.next(liking(END))).toEqual({ tokenId: END, finishReason: 'stop' });
    const long = samplerOf({ maxTokens: 2 });
    expect(long.next(liking(A)).finishReason).toBeUndefined();
    expect(long.next(liking(A)).finishReason).toBe('length');
  });

  it('goes on past tokens that are no stop tokens of the request', () => {
    expect(samplerOf({ stopTokenIds: [] }).next(liking(END)).finishReason).toBeUndefined();
  });

  it('draws by seed and place alone, whatever was asked between', () => {
    const sampling = { ...greedy, temperature: 1 };
    const flat = (): Float32Array => new Float32Array(VOCAB_SIZE);
    const first = samplerOf({ sampling });
    const tokens = Array.from({ length: 20 }, () => first.next(flat()).tokenId);
    const second = samplerOf({ sampling });
    const again = tokens.map(() => {
      second.forced(3);
      return second.next(flat()).tokenId;
    });
    expect(again).toEqual(tokens);
    const other = samplerOf({ sampling }, { seed: 2 });
    expect(tokens.map(() => other.next(flat()).tokenId)).not.toEqual(tokens);
  });

  it('reports what the model computed, whatever has bent it since', () => {
    const sampler = samplerOf({ logprobs: { answer: 2 }, controls: { logitBias: new Map([[C, 50]]) } });
    const { tokenId, logprobs } = sampler.next(liking(A, B, C));
    const norm = Math.log(Math.exp(10) + Math.exp(9) + Math.exp(8) + 37);
    expect(tokenId).toBe(C);
    expect(logprobs).toMatchObject({ tokenId: C, rank: 3 });
    expect(logprobs?.logprob).toBeCloseTo(8 - norm, 6);
    expect(logprobs?.top.map((top) => top.tokenId)).toEqual([A, B]);
    expect(logprobs?.top[1]?.logprob).toBeCloseTo(9 - norm, 6);
  });

  it('reports no log-probabilities that were not asked for', () => {
    expect(samplerOf({ logprobs: { prompt: 3 } }).next(liking(A))).toEqual({ tokenId: A, finishReason: undefined });
  });

  it('names the fields that together leave no token', () => {
    const controls = { minTokens: 2, allowedTokenIds: [], logitBias: new Map([[A, 1]]) };
    expect(() => samplerOf({ controls }).next(liking(A))).toThrow(
      'after 0 tokens of the answer no token is left that is allowed by allowed_token_ids and min_tokens; ' +
        'drop one of them',
    );
  });

  it('refuses logits that are all -Infinity by themselves', () => {
    expect(() => samplerOf({}).next(new Float32Array(VOCAB_SIZE).fill(-Infinity))).toThrow('for every token');
  });
});

const thinking: ThinkingControl = {
  begins: 'inside',
  openTokenId: OPEN,
  closeTokenId: CLOSE,
  budgetTokens: 2,
  closingTokenIds: [NEWLINE, CLOSE, NEWLINE],
};

describe('a thinking budget', () => {
  it('writes the closing tokens when it is used up, and leaves the answer free', () => {
    const sampler = samplerOf({ thinking });
    const tokens = Array.from({ length: 7 }, () => nextOf(sampler, A));
    expect(tokens).toEqual([A, A, NEWLINE, CLOSE, NEWLINE, A, A]);
  });

  it('does nothing where the model closes in time', () => {
    const sampler = samplerOf({ thinking });
    expect([nextOf(sampler, A), nextOf(sampler, CLOSE)]).toEqual([A, CLOSE]);
    expect([A, A, A].map((tokenId) => nextOf(sampler, tokenId))).toEqual([A, A, A]);
  });

  it('closes at once where it is 0', () => {
    const sampler = samplerOf({ thinking: { ...thinking, budgetTokens: 0 } });
    expect([A, A, A, A].map((tokenId) => nextOf(sampler, tokenId))).toEqual([NEWLINE, CLOSE, NEWLINE, A]);
  });

  it('counts from the opening token where the model may open thinking, and not where it does not', () => {
    const opened = samplerOf({ thinking: { ...thinking, begins: 'may-open' } });
    expect([OPEN, A, A, A].map((tokenId) => nextOf(opened, tokenId))).toEqual([OPEN, A, A, NEWLINE]);
    const skipped = samplerOf({ thinking: { ...thinking, begins: 'may-open' } });
    expect([A, A, A, A].map((tokenId) => nextOf(skipped, tokenId))).toEqual([A, A, A, A]);
  });

  it('is one for all blocks of an answer', () => {
    const sampler = samplerOf({ thinking });
    for (const tokenId of [A, CLOSE, OPEN]) expect(nextOf(sampler, tokenId)).toBe(tokenId);
    expect([A, A, A].map((tokenId) => nextOf(sampler, tokenId))).toEqual([A, NEWLINE, CLOSE]);
  });

  it('tells its closing tokens ahead, within what the answer may have', () => {
    const sampler = samplerOf({ thinking, maxTokens: 5 });
    expect(sampler.forced(8)).toEqual([]);
    nextOf(sampler, A);
    nextOf(sampler, A);
    expect(sampler.forced(8)).toEqual([NEWLINE, CLOSE]);
    expect(sampler.forced(1)).toEqual([NEWLINE]);
    nextOf(sampler, A);
    nextOf(sampler, A);
    expect(sampler.forced(8)).toEqual([]);
  });

  it('overrides what forbids the closing tokens', () => {
    const sampler = samplerOf({ thinking: { ...thinking, budgetTokens: 0 }, controls: { badWords: [[CLOSE]] } });
    expect([A, A].map((tokenId) => nextOf(sampler, tokenId))).toEqual([NEWLINE, CLOSE]);
  });
});

describe('a constraint', () => {
  const words = (): { constraint: Words } => ({ constraint: new Words([B, C]) });

  it('masks from the first token on without thinking, and ends with the end token', () => {
    const sampler = samplerOf({ thinking: { ...thinking, begins: 'never' } }, words());
    expect([nextOf(sampler, A), nextOf(sampler, A)]).toEqual([B, C]);
    expect(sampler.next(liking(A))).toEqual({ tokenId: END, finishReason: 'stop' });
  });

  it('ends with its end token also where the request has no stop tokens', () => {
    const sampler = samplerOf({ stopTokenIds: [] }, { ...words(), endTokenIds: [END] });
    expect([nextOf(sampler, A), nextOf(sampler, A)]).toEqual([B, C]);
    expect(sampler.next(liking(A))).toEqual({ tokenId: END, finishReason: 'stop' });
  });

  it('leaves thinking free but for its end, and begins behind the closing token', () => {
    const sampler = samplerOf({ thinking: { ...thinking, budgetTokens: 9 } }, words());
    expect([nextOf(sampler, A), nextOf(sampler, END, A), nextOf(sampler, CLOSE)]).toEqual([A, A, CLOSE]);
    expect([nextOf(sampler, OPEN), nextOf(sampler, OPEN)]).toEqual([B, C]);
  });

  it('begins behind all that is written at the budget', () => {
    const sampler = samplerOf({ thinking: { ...thinking, budgetTokens: 1 } }, words());
    expect([A, A, A, A, A].map((tokenId) => nextOf(sampler, tokenId))).toEqual([A, NEWLINE, CLOSE, NEWLINE, B]);
  });

  it('lets the first token open thinking where it may', () => {
    const opened = samplerOf({ thinking: { ...thinking, begins: 'may-open' } }, words());
    expect([OPEN, A, CLOSE, A].map((tokenId) => nextOf(opened, tokenId))).toEqual([OPEN, A, CLOSE, B]);
    const skipped = samplerOf({ thinking: { ...thinking, begins: 'may-open' } }, words());
    expect([A, OPEN].map((tokenId) => nextOf(skipped, tokenId))).toEqual([B, C]);
  });

  it('tells ahead the one way that is left, behind the closing tokens', () => {
    const options = { ...words(), encode: (bytes: Uint8Array) => [...bytes] };
    const sampler = samplerOf({ thinking: { ...thinking, budgetTokens: 1 } }, options);
    expect(sampler.forced(9)).toEqual([]);
    nextOf(sampler, A);
    expect(sampler.forced(9)).toEqual([NEWLINE, CLOSE, NEWLINE, B, C]);
    expect(samplerOf({}, { ...words(), encode: (bytes) => [...bytes] }).forced(9)).toEqual([B, C]);
    expect(samplerOf({}, words()).forced(9)).toEqual([]);
    const failing = (): never => {
      throw new Error('ambiguous');
    };
    expect(samplerOf({}, { ...words(), encode: failing }).forced(9)).toEqual([]);
  });

  it('is named where it and the list of allowed tokens leave nothing', () => {
    expect(() => samplerOf({ controls: { allowedTokenIds: [A] } }, words()).next(liking(A))).toThrow(
      /allowed by the required format .* and allowed_token_ids/,
    );
  });
});

describe('an answer that is resumed', () => {
  const drawn: SamplingParams = { ...greedy, temperature: 1.5, frequencyPenalty: 0.7, repetitionPenalty: 1.3 };
  const thinking: ThinkingControl = {
    begins: 'inside',
    openTokenId: OPEN,
    closeTokenId: CLOSE,
    budgetTokens: 6,
    closingTokenIds: [NEWLINE, CLOSE],
  };
  const requests: readonly (readonly [string, Partial<AnswerRequest>])[] = [
    ['is greedy', { sampling: { ...greedy, presencePenalty: 2 } }],
    ['is drawn by a seed, with penalties', { sampling: drawn }],
    ['has a budget of thinking and bad words', { sampling: drawn, thinking, controls: { badWords: [[A, B], [C]] } }],
    ['must not end soon', { sampling: drawn, controls: { minTokens: 12 } }],
  ];

  it.each(requests)('goes on with the same tokens after any of them where it %s', (_, request) => {
    const logits = (place: number): Float32Array =>
      Float32Array.from({ length: VOCAB_SIZE }, (__, tokenId) => 2 * Math.sin(17 * tokenId + 5 * place));
    const whole = samplerOf({ ...request, maxTokens: 20 });
    const tokenIds = Array.from({ length: 20 }, (__, place) => whole.next(logits(place)).tokenId);
    for (let numHeard = 1; numHeard < 20; numHeard++) {
      const resumed = samplerOf({ ...request, maxTokens: 20, resumedTokenIds: tokenIds.slice(0, numHeard) });
      const rest = Array.from({ length: 20 - numHeard }, (__, index) => resumed.next(logits(numHeard + index)));
      expect(rest.map(({ tokenId }) => tokenId)).toEqual(tokenIds.slice(numHeard));
      expect(rest.at(-1)?.finishReason).toBeDefined();
    }
  });

  it('goes on in its constraint, and is refused where it is none of the answers to it', () => {
    const constraint = (): ConstraintState => new Words([A, B, C]);
    expect(nextOf(samplerOf({ resumedTokenIds: [A] }, { constraint: constraint() }), C, A)).toBe(B);
    const refusing: ConstraintState = Object.assign(constraint(), {
      accept: (tokenId: number) => {
        throw new Error(`token ${String(tokenId)} was chosen against the constraint`);
      },
    });
    expect(() => samplerOf({ resumedTokenIds: [C] }, { constraint: refusing })).toThrow(
      /resume_token_ids is no answer to this request: token 2/,
    );
  });
});
