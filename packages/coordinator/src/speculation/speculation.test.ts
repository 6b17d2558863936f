import { describe, expect, it } from 'vitest';
import { Acceptance } from './acceptance.js';
import { bestDraftLength } from './draft-length.js';
import { lookUpDraft } from './prompt-lookup.js';
import { StepCostModel } from './step-cost-model.js';

describe('lookUpDraft', () => {
  it('proposes what followed the last place where the context had its present end', () => {
    expect(lookUpDraft([1, 2, 3, 9, 1, 2, 4, 8, 1, 2], 3)).toEqual([4, 8, 1]);
  });

  it('prefers a longer match further back', () => {
    expect(lookUpDraft([7, 1, 2, 5, 6, 0, 1, 2, 8, 7, 1, 2], 2)).toEqual([5, 6]);
  });

  it('may run into the end that it matches, as in a repetition', () => {
    expect(lookUpDraft([5, 6, 5, 6, 5, 6], 4)).toEqual([5, 6]);
  });

  it('proposes nothing without a match, for a short context, or when nothing is asked for', () => {
    expect(lookUpDraft([1, 2, 3, 4], 4)).toEqual([]);
    expect(lookUpDraft([1], 4)).toEqual([]);
    expect(lookUpDraft([], 4)).toEqual([]);
    expect(lookUpDraft([1, 2, 1, 2], 0)).toEqual([]);
  });
});

describe('bestDraftLength', () => {
  it('drafts as much as it may when rows cost nothing', () => {
    expect(bestDraftLength(0.8, { fixedMs: 10, perRowMs: 0 }, 1, 8)).toBe(8);
  });

  it('drafts nothing when a row costs as much as a step, or nothing is ever accepted', () => {
    expect(bestDraftLength(0.8, { fixedMs: 0, perRowMs: 10 }, 1, 8)).toBe(0);
    expect(bestDraftLength(0, { fixedMs: 10, perRowMs: 0.1 }, 1, 8)).toBe(0);
  });

  it('is what trying every length gives', () => {
    for (const acceptance of [0.1, 0.5, 0.9]) {
      for (const perRowMs of [0.1, 0.5, 2]) {
        const rate = (length: number): number =>
          (1 - acceptance ** (length + 1)) / (1 - acceptance) / (5 + perRowMs * (3 + length));
        const rates = Array.from({ length: 17 }, (_, length) => rate(length));
        const best = rates.indexOf(Math.max(...rates));
        expect(bestDraftLength(acceptance, { fixedMs: 5, perRowMs }, 3, 16)).toBe(best);
      }
    }
  });
});

describe('Acceptance', () => {
  it('follows what is accepted and refused, and forgets while nothing is drafted', () => {
    const acceptance = new Acceptance();
    for (let i = 0; i < 20; i++) acceptance.observe(4, 4);
    expect(acceptance.estimate).toBeGreaterThan(0.95);
    for (let i = 0; i < 30; i++) acceptance.observe(4, 0);
    expect(acceptance.estimate).toBeLessThan(0.05);
    for (let i = 0; i < 200; i++) acceptance.observeNothing();
    expect(acceptance.estimate).toBeGreaterThan(0.4);
  });
});

describe('StepCostModel', () => {
  it('finds the fixed part and the part per row', () => {
    const model = new StepCostModel();
    for (let i = 0; i < 100; i++) model.observe(1 + (i % 5), 8 + 0.5 * (1 + (i % 5)));
    expect(model.cost().fixedMs).toBeCloseTo(8, 5);
    expect(model.cost().perRowMs).toBeCloseTo(0.5, 5);
  });

  it('assumes a tenth of a step per row until it has seen steps of different sizes', () => {
    const model = new StepCostModel();
    for (let i = 0; i < 10; i++) model.observe(1, 20);
    expect(model.cost()).toEqual({
      fixedMs: expect.closeTo(18, 5) as number,
      perRowMs: expect.closeTo(2, 5) as number,
    });
  });

  it('takes no part for negative, whatever the noise', () => {
    const model = new StepCostModel();
    for (let i = 0; i < 50; i++) model.observe(1 + (i % 2), i % 2 === 0 ? 20 : 10);
    const { fixedMs, perRowMs } = model.cost();
    expect(perRowMs).toBe(0);
    expect(fixedMs).toBeCloseTo(15, 0);
  });
});
