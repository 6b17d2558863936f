import { describe, expect, it } from 'vitest';
import { type SamplingParams } from './sampling-params.js';
import { uniform } from './random.js';
import { argmax, largest, sampleToken } from './sampler.js';
import { TokenCounts } from './token-counts.js';

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
function frequencies(logits: Float32Array, params: Partial<SamplingParams>, counts = new TokenCounts([])): number[] {
  const numDraws = 10_000;
  const drawn = new Array<number>(logits.length).fill(0);
  for (let i = 0; i < numDraws; i++) {
    const tokenId = sampleToken(logits.slice(), { ...neutral, ...params }, counts, () => (i + 0.5) / numDraws);
    drawn[tokenId] = (drawn[tokenId] ?? 0) + 1 / numDraws;
  }
  return drawn;
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual.map((value) => Number(value.toFixed(2)))).toEqual(expected);
}

describe('sampler', () => {
  it('takes the first of the largest logits when greedy', () => {
    const logits = Float32Array.from([1, 3, 3, 2]);
    expect(sampleToken(logits, { ...neutral, temperature: 0 }, new TokenCounts([]), () => 0.99)).toBe(1);
  });

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

  it('applies the presence penalty once and the frequency penalty per occurrence, to the answer only', () => {
    const counts = new TokenCounts([2]);
    counts.add(0);
    counts.add(0);
    counts.add(1);
    const logits = Float32Array.from([1, 1, 1]);
    sampleToken(logits, { ...neutral, presencePenalty: 0.5, frequencyPenalty: 0.25 }, counts, () => 0);
    expect([...logits]).toEqual([0, 0.25, 1]);
  });

  it('applies the repetition penalty to prompt and answer, away from zero on both sides', () => {
    const counts = new TokenCounts([0, 1]);
    counts.add(1);
    const logits = Float32Array.from([4, -4, 4]);
    sampleToken(logits, { ...neutral, repetitionPenalty: 2 }, counts, () => 0);
    expect([...logits]).toEqual([2, -8, 4]);
  });

  it('refuses logits that are not numbers', () => {
    expect(() => argmax(Float32Array.from([1, NaN]))).toThrow(/not a number \(token 1\)/);
  });

  it('finds the same nucleus in a large vocabulary as a full sort does', () => {
    for (let seed = 0; seed < 20; seed++) {
      const logits = Float32Array.from({ length: 20_000 }, (_, i) => 6 * uniform(seed, i));
      const weights = Float64Array.from(logits, (logit) => Math.exp(logit));
      const sorted = [...weights.keys()].sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0) || a - b);
      expect([...largest(weights, 50)]).toEqual(sorted.slice(0, 50));
      const mass = 0.3 * weights.reduce((sum, weight) => sum + weight, 0);
      let reached = 0;
      const nucleus = new Set(sorted.filter((tokenId) => reached < mass && (reached += weights[tokenId] ?? 0) > 0));
      for (const u of [0, 0.25, 0.5, 0.75, 0.999999]) {
        const drawn = (params: Partial<SamplingParams>): number =>
          sampleToken(logits.slice(), { ...neutral, ...params }, new TokenCounts([]), () => u);
        expect(nucleus).toContain(drawn({ topP: 0.3 }));
        expect(sorted.slice(0, 50)).toContain(drawn({ topK: 50 }));
      }
    }
  });
});

describe('uniform', () => {
  it('gives the same number for the same seed and counter, and others otherwise', () => {
    expect(uniform(7, 3)).toBe(uniform(7, 3));
    expect(new Set([uniform(7, 3), uniform(7, 4), uniform(8, 3)]).size).toBe(3);
  });

  it('is spread evenly over [0, 1)', () => {
    const buckets = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) {
      const bucket = Math.floor(uniform(42, i) * 10);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    for (const count of buckets) expect(Math.abs(count - 1000)).toBeLessThan(130);
  });
});
