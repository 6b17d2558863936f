import { describe, expect, it } from 'vitest';
import { answerSeed, uniform } from './random.js';

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

  it('takes negative seeds and such as fill 64 bits', () => {
    const draws = [-1, -5, -(2 ** 63), 2 ** 63, Number.MAX_SAFE_INTEGER].map((seed) => uniform(seed, 0));
    expect(new Set(draws).size).toBe(draws.length - 1);
    for (const draw of draws) expect(draw >= 0 && draw < 1).toBe(true);
  });
});

describe('answerSeed', () => {
  it('is the requested one for the first answer, and others for others', () => {
    expect(answerSeed(42, 7)).toBe(42);
    expect(new Set([0, 1, 2, 3].map((index) => answerSeed(42, 7, index))).size).toBe(4);
    expect(answerSeed(42, 7, 2)).toBe(answerSeed(42, 8, 2));
  });

  it('differs between answers where the seed is too large for neighbours', () => {
    expect(answerSeed(2 ** 63, 7, 1)).not.toBe(answerSeed(2 ** 63, 7, 2));
  });

  it('is the random one without a requested one and for -1', () => {
    expect(answerSeed(undefined, 7)).toBe(7);
    expect(answerSeed(-1, 7)).toBe(7);
  });
});
