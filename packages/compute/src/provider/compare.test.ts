import { describe, expect, it } from 'vitest';
import { relativeError } from './compare.js';

describe('relativeError', () => {
  it('is the largest difference in proportion to the largest value', () => {
    expect(relativeError(Float32Array.of(1, -4, 2), Float32Array.of(1, -4, 1))).toBe(0.25);
    expect(relativeError(Float32Array.of(0, 0), Float32Array.of(0, 0))).toBe(0);
  });

  it('is infinite where a value is missing or not finite', () => {
    expect(relativeError(Float32Array.of(1, NaN), Float32Array.of(1, 2))).toBe(Infinity);
    expect(relativeError(Float32Array.of(1, Infinity), Float32Array.of(1, 2))).toBe(Infinity);
    expect(relativeError(Float32Array.of(1), Float32Array.of(1, 2))).toBe(Infinity);
    expect(relativeError(Float32Array.of(1), Float32Array.of(0))).toBe(Infinity);
  });
});
