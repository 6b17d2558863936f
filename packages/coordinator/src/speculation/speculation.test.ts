import { describe, expect, it } from 'vitest';
import { Acceptance } from './acceptance.js';
import { bestDraftLength } from './draft-length.js';
import { lookUpDraft, MAX_MATCH } from './prompt-lookup.js';

describe('lookUpDraft', () => {
  it('proposes what followed the last place where the context had its present end', () => {
    expect(lookUpDraft([1, 2, 3, 9, 1, 2, 4, 8, 1, 2], 3)).toEqual({ tokenIds: [4, 8, 1], matchLength: 2 });
  });

  it('prefers the place that agrees longest, however far back', () => {
    const edited = [9, 1, 2, 3, 4, 5, 50, 8, 2, 3, 4, 5, 60, 7, 1, 2, 3, 4, 5];
    expect(lookUpDraft(edited, 1)).toEqual({ tokenIds: [50], matchLength: 5 });
  });

  it('looks no further than a match of 16 tokens', () => {
    const run = Array.from({ length: 20 }, (_, index) => index);
    expect(lookUpDraft([...run, 70, ...run.slice(2), 80, ...run], 1)).toEqual({
      tokenIds: [80],
      matchLength: MAX_MATCH,
    });
  });

  it('may run into the end that it matches, as in a repetition', () => {
    expect(lookUpDraft([5, 6, 5, 6, 5, 6], 4)).toEqual({ tokenIds: [5, 6], matchLength: 4 });
  });

  it('proposes nothing without a match, for a short context, or when nothing is asked for', () => {
    for (const [tokenIds, maxTokens] of [
      [[1, 2, 3, 4], 4],
      [[1, 2, 3, 2], 4],
      [[1], 4],
      [[], 4],
      [[1, 2, 1, 2], 0],
    ] as const)
      expect(lookUpDraft(tokenIds, maxTokens)).toEqual({ tokenIds: [], matchLength: 0 });
  });
});

describe('bestDraftLength', () => {
  it('drafts as much as it may when rows cost nothing', () => {
    expect(bestDraftLength(0.8, () => 10, 1, 8)).toBe(8);
  });

  it('drafts nothing when a row costs as much as a step, or nothing is ever accepted', () => {
    expect(bestDraftLength(0.8, (numRows) => 10 * numRows, 1, 8)).toBe(0);
    expect(bestDraftLength(0, (numRows) => 10 + 0.1 * numRows, 1, 8)).toBe(0);
  });

  it('is what trying every length gives', () => {
    for (const acceptance of [0.1, 0.5, 0.9]) {
      for (const perRowMs of [0.1, 0.5, 2]) {
        const rate = (length: number): number =>
          (1 - acceptance ** (length + 1)) / (1 - acceptance) / (5 + perRowMs * (3 + length));
        const rates = Array.from({ length: 17 }, (_, length) => rate(length));
        const best = rates.indexOf(Math.max(...rates));
        expect(bestDraftLength(acceptance, (numRows) => 5 + perRowMs * numRows, 3, 16)).toBe(best);
      }
    }
  });
});

describe('Acceptance', () => {
  it('follows what is accepted and refused, and forgets while nothing is drafted', () => {
    const acceptance = new Acceptance();
    for (let i = 0; i < 20; i++) acceptance.observe(2, 4, 4);
    expect(acceptance.estimate(2)).toBeGreaterThan(0.95);
    for (let i = 0; i < 30; i++) acceptance.observe(2, 4, 0);
    expect(acceptance.estimate(2)).toBeLessThan(0.05);
    for (let i = 0; i < 200; i++) acceptance.observeNothing();
    expect(acceptance.estimate(2)).toBeGreaterThan(0.4);
  });

  it('judges long matches apart from short ones', () => {
    const acceptance = new Acceptance();
    for (let i = 0; i < 20; i++) {
      acceptance.observe(2, 4, 0);
      acceptance.observe(12, 4, 4);
    }
    expect(acceptance.estimate(3)).toBeLessThan(0.05);
    expect(acceptance.estimate(6)).toBe(0.7);
    expect(acceptance.estimate(8)).toBeGreaterThan(0.95);
  });
});
