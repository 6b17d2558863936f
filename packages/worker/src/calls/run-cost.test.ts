import { describe, expect, it } from 'vitest';
import { seededRandom } from '@expertmesh/shared/random/seeded-random';
import { fitRunCost, NO_RUNS, withRun, type MeasuredRun, type RunCostHistory } from './run-cost.js';

const PER_EXPERT = 90e-6;
const PER_PAIR = 12e-6;

const run = (activeExperts: number, numPairs: number, stretch = 1): MeasuredRun => ({
  activeExperts,
  numPairs,
  seconds: stretch * (PER_EXPERT * activeExperts + PER_PAIR * numPairs),
});

const historyOf = (runs: readonly MeasuredRun[], start = NO_RUNS): RunCostHistory => runs.reduce(withRun, start);

const decoding = Array.from({ length: 100 }, (_, i) => run(1 + (i % 8), 1 + (i % 8)));
const prompts = Array.from({ length: 20 }, (_, i) => run(30, 300 + 10 * i));

describe('fitRunCost', () => {
  it('says nothing before there were enough runs', () => {
    expect(fitRunCost(historyOf(decoding.slice(0, 31)))).toBeUndefined();
    expect(fitRunCost(historyOf(decoding.slice(0, 32)))).toBeDefined();
  });

  it('tells what an expert costs from what a pair costs', () => {
    const cost = fitRunCost(historyOf([...decoding, ...prompts]));
    expect(cost?.secondsPerActiveExpert).toBeCloseTo(PER_EXPERT, 10);
    expect(cost?.secondsPerToken).toBeCloseTo(PER_PAIR, 10);
  });

  it('gives all of the time to the experts while each had one pair', () => {
    const cost = fitRunCost(historyOf(decoding));
    expect(cost?.secondsPerActiveExpert).toBeCloseTo(PER_EXPERT + PER_PAIR, 10);
    expect(cost?.secondsPerToken).toBe(0);
  });

  it('stays near the truth when runs vary and one in twenty takes ten times as long', () => {
    const random = seededRandom(7);
    const noisy = [...decoding, ...prompts, ...decoding, ...prompts].map((clean) => ({
      ...clean,
      seconds: clean.seconds * (random() < 0.05 ? 10 : 0.85 + 0.3 * random()),
    }));
    const cost = fitRunCost(historyOf(noisy));
    expect((cost?.secondsPerActiveExpert ?? 0) / PER_EXPERT).toBeCloseTo(1, 0.7);
    expect((cost?.secondsPerToken ?? 0) / PER_PAIR).toBeCloseTo(1, 0.7);
  });

  it('is never below 0', () => {
    const shrinking = Array.from({ length: 40 }, (_, i) => ({
      activeExperts: 4,
      numPairs: 4 + i,
      seconds: 1e-3 / (1 + i),
    }));
    expect(fitRunCost(historyOf(shrinking))?.secondsPerToken).toBe(0);
    const free = Array.from({ length: 40 }, (_, i) => ({
      activeExperts: 40 - i,
      numPairs: 40,
      seconds: 1e-3 * (1 + i),
    }));
    const cost = fitRunCost(historyOf(free));
    expect(cost?.secondsPerActiveExpert).toBe(0);
    expect(cost?.secondsPerToken).toBeGreaterThan(0);
  });

  it('remembers what prompts have shown through a long time of decoding', () => {
    const history = historyOf(
      Array.from({ length: 5000 }, (_, i) => run(1 + (i % 8), 1 + (i % 8))),
      historyOf(prompts),
    );
    expect(fitRunCost(history)?.secondsPerToken).toBeCloseTo(PER_PAIR, 8);
  });

  it('follows a machine that has become slower', () => {
    const slower = (runs: readonly MeasuredRun[]) => runs.map((fast) => ({ ...fast, seconds: 2 * fast.seconds }));
    const later = Array.from({ length: 30 }, () => slower([...decoding, ...prompts, ...prompts, ...prompts])).flat();
    const cost = fitRunCost(historyOf(later, historyOf([...decoding, ...prompts])));
    expect((cost?.secondsPerActiveExpert ?? 0) / PER_EXPERT).toBeGreaterThan(1.9);
  });

  it('passes over runs without pairs', () => {
    expect(withRun(NO_RUNS, { activeExperts: 0, numPairs: 0, seconds: 1 })).toBe(NO_RUNS);
  });
});
