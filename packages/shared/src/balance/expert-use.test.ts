import { describe, expect, it } from 'vitest';
import { CountSums } from './count-sums.js';
import { hottestExperts, layerLoadBalancingLosses, meanDrift, numDeadExperts } from './expert-use.js';

const shape = { layerIndices: [2, 5], numExperts: 4, topK: 2 };

function sumsOf(first: number[], second: number[]): CountSums {
  const sums = new CountSums(shape);
  sums.tokens.set([...first, ...second]);
  return sums;
}

it('finds the hottest experts by their share of their own layer', () => {
  const sums = sumsOf([10, 10, 10, 10], [1, 5, 1, 1]);
  const [hottest, next] = hottestExperts(sums, 2);
  expect(hottest).toEqual({ layerIndex: 5, expertId: 1, share: 5 / 8, timesMean: 2.5 });
  expect(next).toMatchObject({ layerIndex: 2, share: 0.25, timesMean: 1 });
  expect(hottestExperts(sumsOf([0, 0, 0, 0], [0, 0, 0, 0]), 3)).toEqual([]);
});

it('counts experts without tokens only where the layer had some', () => {
  expect(numDeadExperts(sumsOf([4, 0, 0, 1], [0, 0, 0, 0]))).toBe(2);
});

it('takes the mean drift over layers', () => {
  const before = sumsOf([8, 0, 0, 0], [2, 2, 2, 2]).tokens;
  expect(meanDrift(before, sumsOf([0, 4, 4, 0], [5, 5, 5, 5]))).toBe(0.5);
});

describe('layerLoadBalancingLosses', () => {
  it('is topK where the router is even, more where it prefers what is loaded, and 0 where it was not seen', () => {
    const sums = sumsOf([7, 1, 0, 0], [4, 4, 0, 0]);
    sums.probabilitySums.set([1, 1, 1, 1]);
    expect(layerLoadBalancingLosses(sums)).toEqual([2, 0]);
    sums.probabilitySums.set([0, 0, 0, 0, 2, 2, 0, 0]);
    expect(layerLoadBalancingLosses(sums)).toEqual([0, 4]);
  });
});
