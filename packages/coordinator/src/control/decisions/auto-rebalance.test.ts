import { BalanceView } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { parseQuietHours } from '@expertmesh/shared/config/quiet-hours';
import { type PlacementPrediction } from '@expertmesh/shared/placement/predict-placement';
import { describe, expect, it } from 'vitest';
import { gainOf, isWorthMoving, rebalanceReason, type BalanceFacts, type RebalancePolicy } from './auto-rebalance.js';

const policy: RebalancePolicy = {
  mode: 'auto',
  threshold: 0.8,
  minGain: 0.05,
  cooldownMs: 60_000,
  quietHours: undefined,
};
const uneven = BalanceView.create({ worstBalancedness: 0.7, worstWeightedBalancedness: 0.9, worstLayerIndex: 4 });
const facts: BalanceFacts = {
  balance: uneven,
  tokensInWindow: 1_000,
  minTokens: 1_000,
  sinceLastMs: 60_000,
  minuteOfDay: 12 * 60,
};

describe('rebalanceReason', () => {
  it('is that a layer is too uneven, after enough tokens and enough time', () => {
    expect(rebalanceReason(policy, facts)).toBe('the balancedness of layer 4 is 0.70, below 0.8');
    expect(rebalanceReason(policy, { ...facts, sinceLastMs: Infinity })).toBeDefined();
  });

  it.each<[string, Partial<RebalancePolicy>, Partial<BalanceFacts>]>([
    ['it is switched off', { mode: 'off' }, {}],
    ['all layers are even enough', { threshold: 0.7 }, {}],
    ['nothing was observed', {}, { balance: undefined }],
    ['too few tokens were observed', {}, { tokensInWindow: 999 }],
    ['the last change was too short ago', {}, { sinceLastMs: 59_999 }],
    ['it is quiet at this hour', { quietHours: parseQuietHours('11:30-12:01') }, {}],
  ])('is none when %s', (_, changedPolicy, changedFacts) => {
    expect(rebalanceReason({ ...policy, ...changedPolicy }, { ...facts, ...changedFacts })).toBeUndefined();
  });

  it('takes speeds into account where they are known', () => {
    const slowBox = BalanceView.create({ worstBalancedness: 0.9, worstWeightedBalancedness: 0.5 });
    expect(rebalanceReason(policy, { ...facts, balance: slowBox })).toContain('0.50');
    const unknown = BalanceView.create({ worstBalancedness: 0.9 });
    expect(rebalanceReason(policy, { ...facts, balance: unknown })).toBeUndefined();
  });
});

describe('gainOf', () => {
  const prediction = (stepSeconds: number, mean: number): PlacementPrediction => ({
    balancedness: { mean, worst: mean, worstLayer: 0 },
    capacityWeightedBalancedness: { mean, worst: mean, worstLayer: 0 },
    stepSeconds,
    workersPerToken: 1,
    tokensPerStep: [],
    secondsPerStep: [],
  });

  it('is the greater one of step time and balancedness', () => {
    expect(gainOf(prediction(2, 0.8), prediction(1, 0.8))).toBeCloseTo(0.5);
    expect(gainOf(prediction(2, 0.8), prediction(2, 0.88))).toBeCloseTo(0.1);
    expect(gainOf(prediction(2, 0.8), prediction(3, 0.7))).toBeLessThan(0);
  });

  it('is everything where the placement in force cannot serve', () => {
    expect(gainOf(undefined, prediction(1, 1))).toBe(Infinity);
  });
});

describe('isWorthMoving', () => {
  it.each([
    [{}, 0.049, false],
    [{}, 0.05, true],
    [{ workerIds: [] }, 0, false],
    [{ redundantExperts: 0 }, -0.1, true],
    [{ survive: 1 }, -0.1, true],
    [{ workerIds: ['a'] }, 0, true],
  ])('of a wish %j that gains %d is %s', (wish, gain, isWorthIt) => {
    expect(isWorthMoving({ policy: 'balanced', ...wish }, gain, 0.05)).toBe(isWorthIt);
  });
});
