import { describe, expect, it } from 'vitest';
import { numAdmitted, planStep } from './scheduler.js';

const sequence = (numTokens: number, numComputed: number): { numTokens: number; numComputed: number } => ({
  numTokens,
  numComputed,
});

describe('planStep', () => {
  it('takes every decoding sequence before any prompt', () => {
    const prompt = sequence(100, 0);
    const decoding = [sequence(10, 9), sequence(20, 19)];
    const plan = planStep([prompt, ...decoding], 10);
    expect(plan.map((share) => [share.sequence, share.numTokens])).toEqual([
      [decoding[0], 1],
      [decoding[1], 1],
      [prompt, 8],
    ]);
  });

  it('gives what is left to prompts, oldest first', () => {
    const plan = planStep([sequence(6, 0), sequence(6, 2), sequence(6, 0)], 9);
    expect(plan.map((share) => share.numTokens)).toEqual([6, 3]);
  });

  it('finishes a prompt without exceeding it', () => {
    expect(planStep([sequence(5, 2)], 512).map((share) => share.numTokens)).toEqual([3]);
  });
});

describe('numAdmitted', () => {
  it('stops at the first that does not fit, so that none is overtaken', () => {
    expect(numAdmitted([10, 90, 1], 50, 8)).toBe(1);
    expect(numAdmitted([10, 20, 5], 50, 8)).toBe(3);
    expect(numAdmitted([10, 20, 5], 50, 2)).toBe(2);
    expect(numAdmitted([], 50, 2)).toBe(0);
  });
});
