import { describe, expect, it } from 'vitest';
import {
  balancedness,
  capacityWeightedBalancedness,
  drift,
  gini,
  imbalance,
  loadBalancingLoss,
  overLayers,
} from './balance-measures.js';

describe('balancedness', () => {
  it('is mean over largest: 1 for equal loads, 1/n for all on one, 1 for none', () => {
    expect(balancedness([3, 3, 3])).toBe(1);
    expect(balancedness([0, 8, 0, 0])).toBe(0.25);
    expect(balancedness([1, 2, 3])).toBeCloseTo(2 / 3);
    expect(balancedness([0, 0])).toBe(1);
  });

  it('is taken within each layer and then averaged, so that opposite layers do not cancel out', () => {
    const layers = [
      [4, 0],
      [0, 4],
      [3, 1],
    ];
    expect(overLayers(layers.map(balancedness))).toEqual({ mean: (0.5 + 0.5 + 2 / 3) / 3, worst: 0.5, worstLayer: 0 });
  });
});

describe('capacityWeightedBalancedness', () => {
  it('is 1 where loads are as capacities, and balancedness where capacities are equal', () => {
    expect(capacityWeightedBalancedness([10, 20, 50], [1, 2, 5])).toBeCloseTo(1);
    expect(capacityWeightedBalancedness([1, 2, 3], [4, 4, 4])).toBeCloseTo(balancedness([1, 2, 3]));
    expect(capacityWeightedBalancedness([10, 10], [1, 3])).toBeCloseTo(0.5);
  });

  it('does not count a worker with neither capacity nor load', () => {
    expect(capacityWeightedBalancedness([0, 5], [0, 1])).toBe(1);
  });
});

describe('other measures', () => {
  it('has imbalance as (max - mean) / mean', () => {
    expect(imbalance([1, 2, 3])).toBeCloseTo(0.5);
  });

  it('has a Gini coefficient of 0 for equal loads and (n - 1) / n for all on one', () => {
    expect(gini([5, 5, 5, 5])).toBeCloseTo(0);
    expect(gini([0, 0, 9, 0])).toBeCloseTo(0.75);
    expect(gini([3, 1, 2])).toBeCloseTo(gini([1, 2, 3]));
    expect(gini([0, 0])).toBe(0);
  });

  it('sees no drift between windows of the same mix, and full drift between disjoint ones', () => {
    expect(drift([1, 2, 3], [10, 20, 30])).toBeCloseTo(0);
    expect(drift([1, 0], [0, 4])).toBe(1);
    expect(drift([1, 1], [3, 1])).toBeCloseTo(0.25);
    expect(drift([0, 0], [0, 0])).toBe(0);
    expect(drift([0, 0], [1, 0])).toBe(1);
  });

  it('has a load-balancing loss of 1 for uniform routing and above for a router that favours loaded experts', () => {
    expect(loadBalancingLoss([5, 5, 5, 5], [0.25, 0.25, 0.25, 0.25])).toBeCloseTo(1);
    expect(loadBalancingLoss([10, 0, 0, 0], [0.7, 0.1, 0.1, 0.1])).toBeCloseTo(2.8);
    expect(loadBalancingLoss([0, 0], [0.5, 0.5])).toBe(1);
  });
});
