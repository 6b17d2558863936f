import { describe, expect, it } from 'vitest';
import { forgetOldest } from './forget-oldest.js';

const MIB = 2 ** 20;

function left(sizes: readonly number[]): string[] {
  const constraints = new Map(sizes.map((sizeBytes, index) => [String(index), { sizeBytes }]));
  forgetOldest(constraints);
  return [...constraints.keys()];
}

describe('forgetOldest', () => {
  it('keeps as many constraints as there is memory for, the last ones', () => {
    expect(left([10 * MIB, 100 * MIB])).toEqual(['0', '1']);
    expect(left([10 * MIB, 100 * MIB, 100 * MIB, 100 * MIB])).toEqual(['2', '3']);
  });

  it('keeps a bounded number of small ones', () => {
    expect(left(Array.from({ length: 70 }, () => 1)).length).toBe(64);
  });

  it('always keeps the last one', () => {
    expect(left([MIB, 1000 * MIB])).toEqual(['1']);
  });
});
