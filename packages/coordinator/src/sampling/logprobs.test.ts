import { expect, it } from 'vitest';
import { ALL_TOKENS, tokenLogprobs } from './logprobs.js';
import { uniform } from './random.js';

it('gives log-softmax, rank and the most likely tokens, equals by id', () => {
  const logits = Float32Array.from([0.1, 0.4, 0.1, 0.4], Math.log);
  const { logprob, rank, top } = tokenLogprobs(logits, 2, 3);
  expect(logprob).toBeCloseTo(Math.log(0.1), 6);
  expect(rank).toBe(4);
  expect(top.map(({ tokenId }) => tokenId)).toEqual([1, 3, 0]);
  expect(tokenLogprobs(logits, 3, 0)).toMatchObject({ rank: 2, top: [] });
});

it('gives all tokens where all are wanted', () => {
  const { top } = tokenLogprobs(Float32Array.from([1, 3, 2]), 0, ALL_TOKENS);
  expect(top.map(({ tokenId }) => tokenId)).toEqual([1, 2, 0]);
  expect(top.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0)).toBeCloseTo(1, 12);
});

it('is exact for wide and for large logits', () => {
  for (const offset of [0, 1e4, -1e4]) {
    const logits = Float32Array.from({ length: 5000 }, (_, i) => offset + 80 * uniform(3, i));
    const most = logits.reduce((a, b) => Math.max(a, b));
    const norm = most + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0));
    expect(tokenLogprobs(logits, 17, 0).logprob).toBeCloseTo((logits[17] ?? 0) - norm, 7);
  }
});
