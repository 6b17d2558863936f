import { describe, expect, it } from 'vitest';
import { seededRandom } from '../random/seeded-random.js';
import { isSumUnit, MAX_EXACT_TERMS, partsOfTerm, sumUnitsOf } from './sum-units.js';

describe('sum units', () => {
  it('are 2^-18 of the power of two at or below the largest magnitude of a row', () => {
    const rows = Float32Array.of(0.5, -1, 0.25, /**/ 3.9, 0, -2, /**/ 0, 0, 0);
    expect([...sumUnitsOf(rows, 3)]).toEqual([2 ** -18, 2 ** -17, 2 ** -100]);
  });

  it('stay units where a row is not finite', () => {
    const [unit = 0] = sumUnitsOf(Float32Array.of(Infinity, NaN), 2);
    expect(unit).toBe(2 ** 80);
    expect(isSumUnit(unit)).toBe(true);
    expect([0, 3, -1, NaN, Infinity, 2 ** 81, 2 ** -101].filter(isSumUnit)).toEqual([]);
  });
});

describe('the parts of terms', () => {
  it('add up to the same in fp32, whatever the order', () => {
    const random = seededRandom(5);
    for (let round = 0; round < 500; round++) {
      const unit = 2 ** -20;
      const terms = Array.from({ length: MAX_EXACT_TERMS }, () => (random() - 0.5) * 2 ** Math.floor(random() * 14));
      const sum = (order: readonly number[]): readonly number[] => {
        const sums = new Float32Array(2);
        for (const term of order)
          partsOfTerm(term, unit).forEach((part, index) => (sums[index] = (sums[index] ?? 0) + part));
        return [...sums];
      };
      const expected = sum(terms);
      expect(sum([...terms].reverse())).toEqual(expected);
      expect(sum([...terms].sort((a, b) => a - b))).toEqual(expected);
      const exact = terms.reduce((total, term) => total + term, 0);
      expect(Math.abs((expected[0] ?? 0) + (expected[1] ?? 0) - exact)).toBeLessThanOrEqual(
        MAX_EXACT_TERMS * (unit / 2),
      );
    }
  });

  it('have a high one only where a term is beyond 2^20 units', () => {
    expect(partsOfTerm(2 ** 20, 1)).toEqual([2 ** 20, 0]);
    const [low, high] = partsOfTerm(2 ** 20 + 1, 1);
    expect(high).toBe(2 ** 21);
    expect(low + high).toBe(2 ** 20 + 1);
  });
});
