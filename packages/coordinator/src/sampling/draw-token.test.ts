import { describe, expect, it } from 'vitest';
import { drawToken } from './draw-token.js';
import { argmax, largest } from './largest.js';
import { uniform } from './random.js';
import { type SamplingParams } from './sampling-params.js';

const neutral: SamplingParams = {
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
};

const logitsOf = (probabilities: readonly number[]): Float32Array => Float32Array.from(probabilities, Math.log);

/** How often each token is drawn, as fractions, over a fine even grid of draws. */
function frequencies(logits: Float32Array, params: Partial<SamplingParams>): number[] {
  const numDraws = 10_000;
  const drawn = new Array<number>(logits.length).fill(0);
  for (let i = 0; i < numDraws; i++) {
    const tokenId = drawToken(logits, { ...neutral, ...params }, argmax(logits), (i + 0.5) / numDraws);
    drawn[tokenId] = (drawn[tokenId] ?? 0) + 1 / numDraws;
  }
  return drawn;
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual.map((value) => Number(value.toFixed(2)))).toEqual(expected);
}

describe('drawToken', () => {
  it('draws with the probabilities of the softmax', () => {
    expectClose(frequencies(logitsOf([0.5, 0.3, 0.2]), {}), [0.5, 0.3, 0.2]);
  });

  it('sharpens with a low temperature', () => {
    expectClose(frequencies(logitsOf([0.8, 0.2]), { temperature: 0.5 }), [0.94, 0.06]);
  });

  it('keeps the k most likely tokens', () => {
    expectClose(frequencies(logitsOf([0.1, 0.4, 0.2, 0.3]), { topK: 2 }), [0, 0.57, 0, 0.43]);
  });

  it('keeps the smallest set that reaches top-p', () => {
    expectClose(frequencies(logitsOf([0.1, 0.4, 0.2, 0.3]), { topP: 0.65 }), [0, 0.57, 0, 0.43]);
    expectClose(frequencies(logitsOf([0.1, 0.4, 0.2, 0.3]), { topP: 0.75 }), [0, 0.44, 0.22, 0.33]);
  });

  it('measures top-p on what top-k left', () => {
    expectClose(frequencies(logitsOf([0.4, 0.3, 0.2, 0.1]), { topK: 2, topP: 0.5 }), [1, 0, 0, 0]);
  });

  it('always keeps one token', () => {
    expectClose(frequencies(logitsOf([0.4, 0.6]), { topP: 0.0001 }), [0, 1]);
    expectClose(frequencies(logitsOf([0.4, 0.6]), { minP: 1 }), [0, 1]);
  });

  it('drops tokens below min-p of the most likely one', () => {
    expectClose(frequencies(logitsOf([0.6, 0.3, 0.1]), { minP: 0.4 }), [0.67, 0.33, 0]);
  });

  it('measures top-p on what min-p has left', () => {
    expectClose(frequencies(logitsOf([0.4, 0.3, 0.2, 0.1]), { minP: 0.6, topP: 0.55 }), [1, 0, 0, 0]);
    expectClose(frequencies(logitsOf([0.4, 0.3, 0.2, 0.1]), { minP: 0.2, topP: 0.55 }), [0.57, 0.43, 0, 0]);
  });

  it('never draws a token that is forbidden', () => {
    const logits = Float32Array.from([-Infinity, 1, -Infinity, 1]);
    for (const params of [{}, { topK: 3 }, { topP: 0.9 }, { minP: 0.1 }])
      expectClose(frequencies(logits, params), [0, 0.5, 0, 0.5]);
  });

  it('takes the first of the largest logits as the most likely', () => {
    expect(argmax(Float32Array.from([1, 3, 3, 2]))).toBe(1);
  });

  it('refuses logits that are not numbers', () => {
    expect(() => argmax(Float32Array.from([1, NaN]))).toThrow(/not a number \(token 1\)/);
  });

  it('finds the same nucleus in a large vocabulary as a full sort does', () => {
    for (let seed = 0; seed < 4; seed++) {
      const logits = Float32Array.from({ length: 20_000 }, (_, i) => 6 * uniform(seed, i));
      const weights = Float64Array.from(logits, (logit) => Math.exp(logit));
      const sorted = [...weights.keys()].sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0) || a - b);
      expect([...largest(logits, 50)]).toEqual(sorted.slice(0, 50));
      const mass = 0.3 * weights.reduce((sum, weight) => sum + weight, 0);
      let reached = 0;
      const nucleus = new Set(sorted.filter((tokenId) => reached < mass && (reached += weights[tokenId] ?? 0) > 0));
      for (const u of [0, 0.25, 0.5, 0.75, 0.999999]) {
        const drawn = (params: Partial<SamplingParams>): number =>
          drawToken(logits, { ...neutral, ...params }, argmax(logits), u);
        expect(nucleus).toContain(drawn({ topP: 0.3 }));
        expect(sorted.slice(0, 50)).toContain(drawn({ topK: 50 }));
      }
    }
  });
});
