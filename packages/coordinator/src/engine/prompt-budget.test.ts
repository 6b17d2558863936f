import { describe, expect, it } from 'vitest';
import { PromptBudget } from './prompt-budget.js';
import { StepTimeModel } from './step-time-model.js';

const MAX_BATCH_TOKENS = 512;

interface Step {
  readonly numTokens: number;
  /** As a multiple of a step without prompt tokens. */
  readonly stretch: number;
}

/** Decodes for a while, as steps of a simulated cost, and then takes in a prompt beside it. */
function takeIn(
  numPromptTokens: number,
  options: {
    readonly costMs: (numRows: number) => number;
    readonly numDecodeRows: number;
    readonly maxStretch: number;
    readonly noise?: () => number;
  },
): Step[] {
  const { costMs, numDecodeRows, maxStretch, noise = () => 1 } = options;
  const times = new StepTimeModel();
  const budget = new PromptBudget(times, maxStretch);
  const step = (numDecoding: number, numTokens: number): Step => {
    const elapsedMs = costMs(numDecoding + numTokens) * noise();
    times.observe(numDecoding + numTokens, elapsedMs);
    budget.observe(numDecoding, numTokens);
    return { numTokens, stretch: elapsedMs / costMs(numDecodeRows) };
  };
  step(0, MAX_BATCH_TOKENS);
  for (let i = 0; i < 20; i++) step(numDecodeRows, 0);
  const steps: Step[] = [];
  for (let left = numPromptTokens; left > 0; left -= steps.at(-1)?.numTokens ?? 0)
    steps.push(step(numDecodeRows, Math.min(left, budget.numTokens(numDecodeRows, MAX_BATCH_TOKENS - numDecodeRows))));
  return steps;
}

/**
 * Milliseconds of 12 layers in the geometry of Qwen3-30B-A3B: the experts that the rows touch are read, and every row
 * is computed.
 */
const expertsMs = (numRows: number): number => 12 + 128 * (1 - (15 / 16) ** numRows) + 1.2 * numRows;

const COSTS = {
  'reading of experts, steep and then flat': expertsMs,
  'linear cost': (numRows: number) => 10 + 0.5 * numRows,
  'convex cost': (numRows: number) => 20 + 0.05 * numRows ** 2,
  'a kernel that changes at 24 rows': (numRows: number) => expertsMs(numRows) + (numRows < 24 ? 0 : 80),
};

const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor(share * (values.length - 1))] ?? NaN;

describe('PromptBudget', () => {
  for (const [name, costMs] of Object.entries(COSTS)) {
    for (const numDecodeRows of [1, 8]) {
      it(`keeps steps within the bound and near it: ${name}, ${String(numDecodeRows)} decoding`, () => {
        const steps = takeIn(4096, { costMs, numDecodeRows, maxStretch: 3 });
        const stretches = steps.map(({ stretch }) => stretch);
        expect(quantile(stretches, 0.98)).toBeLessThanOrEqual(3.2);
        expect(Math.max(...stretches)).toBeLessThanOrEqual(4);
        expect(quantile(stretches, 0.5)).toBeGreaterThan(1.8);
      });
    }
  }

  it('begins small, whatever is known of steps that prompts had for themselves', () => {
    const [first] = takeIn(4096, { costMs: expertsMs, numDecodeRows: 1, maxStretch: 3 });
    expect(first?.numTokens).toBeLessThanOrEqual(6);
    expect(first?.stretch).toBeLessThanOrEqual(3.3);
  });

  it('does not swing once it has found its share', () => {
    const steps = takeIn(4096, { costMs: expertsMs, numDecodeRows: 8, maxStretch: 3 }).slice(20, -1);
    const sizes = steps.map(({ numTokens }) => numTokens).filter((numTokens) => numTokens > 0);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1.15 * Math.min(...sizes));
  });

  it('holds with noise and with pauses of the machine, which cost no more than themselves', () => {
    let state = 1;
    const uniform = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    const noise = (): number => (uniform() < 0.01 ? 4 : 0.85 + 0.3 * uniform());
    const steps = takeIn(8192, { costMs: expertsMs, numDecodeRows: 4, maxStretch: 3, noise });
    const undisturbed = steps.map(({ stretch }) => stretch).filter((stretch) => stretch < 6);
    expect(quantile(undisturbed, 0.98)).toBeLessThan(3.3);
    expect(quantile(undisturbed, 0.5)).toBeGreaterThan(1.8);
    expect(steps.length - undisturbed.length).toBeLessThan(0.03 * steps.length);
  });

  it('always lets prompts advance, also where every token costs as much as a step', () => {
    const steps = takeIn(400, { costMs: (numRows) => 20 * numRows, numDecodeRows: 1, maxStretch: 1 });
    expect(steps.filter(({ numTokens }) => numTokens === 2)).toHaveLength(200);
    expect(steps.length).toBeLessThanOrEqual(200 + 200 / 64);
  });

  it('takes one step without prompts in 64, to know what it takes', () => {
    const sizes = takeIn(4096, { costMs: expertsMs, numDecodeRows: 1, maxStretch: 3 }).map(
      ({ numTokens }) => numTokens,
    );
    expect(sizes.indexOf(0)).toBe(64);
    expect(new PromptBudget(new StepTimeModel(), 3).numTokens(1, 100)).toBe(0);
  });

  it('does not limit prompts that no sequence decodes beside', () => {
    expect(new PromptBudget(new StepTimeModel(), 3).numTokens(0, MAX_BATCH_TOKENS)).toBe(MAX_BATCH_TOKENS);
  });

  it('takes no more than the step has room for', () => {
    const times = new StepTimeModel();
    const budget = new PromptBudget(times, 1000);
    times.observe(510, 20);
    budget.observe(510, 0);
    expect(budget.numTokens(510, 2)).toBe(2);
  });
});
