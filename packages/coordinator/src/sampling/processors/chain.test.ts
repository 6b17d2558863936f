import { describe, expect, it } from 'vitest';
import { type LogitControls, type SamplingParams } from '../sampling-params.js';
import { processorChain } from './chain.js';

const neutral: SamplingParams = {
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
};
const PROMPT = [0, 1];
const END = 7;

/** What some processors make of logits when an answer has so many tokens. */
function bent(
  logits: readonly number[],
  asked: { readonly controls?: LogitControls; readonly sampling?: Partial<SamplingParams> },
  answer: readonly number[] = [],
): number[] {
  const sampling = { ...neutral, ...asked.sampling };
  const request = { promptTokenIds: PROMPT, maxTokens: 9, stopTokenIds: [END], ...asked, sampling };
  const chain = processorChain(request, new Set(request.stopTokenIds), undefined, undefined);
  for (const tokenId of answer) for (const processor of chain) processor.observe?.(tokenId);
  const row = Float32Array.from(logits);
  for (const processor of chain) processor.apply(row, answer);
  return [...row];
}

const X = -Infinity;

describe('processorChain', () => {
  it('is empty where a request asks for nothing', () => {
    const request = { promptTokenIds: PROMPT, maxTokens: 9, stopTokenIds: [END], sampling: neutral };
    expect(processorChain(request, new Set(request.stopTokenIds), undefined, undefined)).toEqual([]);
  });

  it('has what is asked for in the documented order', () => {
    const controls = { logitBias: new Map(), badWords: [], allowedTokenIds: [], minTokens: 1 };
    const sampling = { ...neutral, repetitionPenalty: 2, presencePenalty: 1 };
    const request = { promptTokenIds: PROMPT, maxTokens: 9, stopTokenIds: [END], sampling, controls };
    expect(
      processorChain(request, new Set(request.stopTokenIds), undefined, undefined).map(({ field }) => field),
    ).toEqual([
      'allowed_token_ids',
      'bad_words',
      'min_tokens',
      'logit_bias',
      'repetition_penalty',
      'frequency_penalty and presence_penalty',
    ]);
  });

  it('scales by the repetition penalty what the bias has made', () => {
    const controls = { logitBias: new Map([[0, 3]]) };
    expect(bent([1, 1, 1], { controls, sampling: { repetitionPenalty: 2 } })).toEqual([2, 0.5, 1]);
  });

  it('applies the repetition penalty to prompt and answer, away from zero on both sides', () => {
    expect(bent([4, -4, 4, 4], { sampling: { repetitionPenalty: 2 } }, [3, 3])).toEqual([2, -8, 4, 2]);
  });

  it('applies the presence penalty once and the frequency penalty per occurrence, to the answer only', () => {
    const sampling = { presencePenalty: 0.5, frequencyPenalty: 0.25 };
    expect(bent([1, 1, 1], { sampling }, [0, 0, 2])).toEqual([0, 1, 0.25]);
  });

  it('allows the given tokens and the end, across the words of a mask', () => {
    const logits = new Array<number>(70).fill(1);
    const allowed = bent(logits, { controls: { allowedTokenIds: [0, 31, 32, 69] } });
    expect([...allowed.keys()].filter((tokenId) => allowed[tokenId] === 1)).toEqual([0, END, 31, 32, 69]);
  });

  it('forbids the end until there are enough tokens', () => {
    const logits = [1, 1, 1, 1, 1, 1, 1, 1];
    expect(bent(logits, { controls: { minTokens: 2 } }, [1])[END]).toBe(X);
    expect(bent(logits, { controls: { minTokens: 2 } }, [1, 1])[END]).toBe(1);
  });

  it('forbids a bad word of one token always, and the last token of a longer one where the rest has come', () => {
    const controls = { badWords: [[0], [3, 4, 1]] };
    expect(bent([1, 1, 1], { controls })).toEqual([X, 1, 1]);
    expect(bent([1, 1, 1], { controls }, [4])).toEqual([X, 1, 1]);
    expect(bent([1, 1, 1], { controls }, [2, 3, 4])).toEqual([X, X, 1]);
    expect(bent([1, 1, 1], { controls }, [3, 4, 2])).toEqual([X, 1, 1]);
  });
});
