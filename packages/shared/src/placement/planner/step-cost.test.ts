import { describe, expect, it } from 'vitest';
import { equalWorkers, planCluster, planWorker, randomLoads } from '@expertmesh/test-kit/planning-cases';
import { type ExpertLoads } from '../expert-loads.js';
import { contiguousPlacement } from '../placement.js';
import { predictPlacement } from '../predict-placement.js';
import { seededRandom } from '../../random/seeded-random.js';
import { reachProbability } from './step-cost.js';

const uniformLoads = (rowsPerStep: number): ExpertLoads =>
  randomLoads(1, { numLayers: 1, numExperts: 128, topK: 8, rowsPerStep, skew: 0 });

const workerIds = (count: number): string[] => Array.from({ length: count }, (_, w) => `w${String(w)}`);

describe('reachProbability', () => {
  it('is exact for one expert, for all of them, and for independent counts', () => {
    expect(reachProbability(0.3, 0)).toBeCloseTo(0.3);
    expect(reachProbability(8, 56)).toBe(1);
    expect(reachProbability(2, 4)).toBeCloseTo(1 - Math.exp(-2));
    expect(reachProbability(0, 0)).toBe(0);
  });
});

describe('predictPlacement', () => {
  it.each([
    [4, 3.63],
    [8, 5.34],
    [16, 6.6],
  ])('knows how many of %i workers a uniformly routed token needs', (numWorkers, expected) => {
    const placement = contiguousPlacement(1, [0], 128, workerIds(numWorkers));
    const { workersPerToken } = predictPlacement(
      placement,
      planCluster(equalWorkers(numWorkers, 128)),
      uniformLoads(1),
    );
    expect(Math.abs(workersPerToken - expected)).toBeLessThan(0.02);
  });

  it('predicts from pairs, within 5 %, what tokens need whose experts come together', () => {
    const { loads, routes } = topicTokens();
    const placement = contiguousPlacement(1, [0], 32, workerIds(4));
    const cluster = planCluster(equalWorkers(4, 32));
    const needed = routes.map((experts) => new Set(experts.map((e) => Math.floor(e / 8))).size);
    const mean = needed.reduce((total, count) => total + count, 0) / needed.length;
    const errorOf = (known: ExpertLoads): number =>
      Math.abs(predictPlacement(placement, cluster, known).workersPerToken / mean - 1);
    expect(errorOf(loads)).toBeLessThan(0.05);
    const withoutPairs = loads.layers.map(({ layerIndex, tokens }) => ({ layerIndex, tokens }));
    expect(errorOf({ ...loads, layers: withoutPairs })).toBeGreaterThan(0.15);
  });

  it('charges each worker for the experts that a step reads and the tokens that it computes', () => {
    const loads: ExpertLoads = {
      numExperts: 4,
      topK: 1,
      numSteps: 10,
      layers: [{ layerIndex: 0, tokens: [40, 20, 0, 20], activeSteps: [10, 5, 0, 10] }],
    };
    const placement = contiguousPlacement(1, [0], 4, ['a', 'b']);
    const prediction = predictPlacement(placement, planCluster([planWorker('a', 4), planWorker('b', 4, 2)]), loads);
    // a reads 1.5 experts a step for 6 tokens; b, twice as fast, one expert for 2.
    expect(prediction.secondsPerStep[0]?.[0]).toBeCloseTo(1.5 * 1e-4 + 6 * 2e-5);
    expect(prediction.secondsPerStep[0]?.[1]).toBeCloseTo((1e-4 + 2 * 2e-5) / 2);
    expect(prediction.stepSeconds).toBeCloseTo(1.5 * 1e-4 + 6 * 2e-5);
    expect(prediction.balancedness.mean).toBeCloseTo(4 / 6);
    expect(prediction.capacityWeightedBalancedness.mean).toBeCloseTo(8 / 3 / 6);
  });

  it('splits tokens between replicas by speed, and lets both be read in a large batch', () => {
    const loads: ExpertLoads = {
      numExperts: 1,
      topK: 1,
      numSteps: 1,
      layers: [{ layerIndex: 0, tokens: [300], activeSteps: [1] }],
    };
    const placement = { version: 1, numExperts: 1, workerIds: ['a', 'b'], replicas: new Map([[0, [[0, 1]]]]) };
    const prediction = predictPlacement(placement, planCluster([planWorker('a', 1), planWorker('b', 1, 2)]), loads);
    expect(prediction.tokensPerStep[0]?.[0]).toBeCloseTo(100);
    expect(prediction.tokensPerStep[0]?.[1]).toBeCloseTo(200);
    expect(prediction.secondsPerStep[0]?.[0]).toBeCloseTo(1e-4 + 100 * 2e-5);
  });

  it('adds what the wire takes for every row and worker', () => {
    const placement = contiguousPlacement(1, [0], 128, ['a']);
    const cluster = planCluster([planWorker('a', 128)]);
    const free = predictPlacement(placement, cluster, uniformLoads(16)).stepSeconds;
    const wired = predictPlacement(placement, { ...cluster, secondsPerRow: 1e-3 }, uniformLoads(16)).stepSeconds;
    expect(wired - free).toBeCloseTo(16e-3);
  });

  it('refuses a placement on workers that are not there', () => {
    const placement = contiguousPlacement(7, [0], 128, ['a', 'gone']);
    expect(() => predictPlacement(placement, planCluster([planWorker('a', 128)]), uniformLoads(1))).toThrow(
      'placement 7 has no worker of this cluster for expert 64 of layer 0',
    );
  });
});

// 32 experts, 4 a token. Each token has a topic, and half of its experts come from the 8 of that topic.
function topicTokens(): { loads: ExpertLoads; routes: number[][] } {
  const random = seededRandom(5);
  const routes = Array.from({ length: 4000 }, () => {
    const topic = Math.floor(random() * 4);
    const experts = new Set<number>();
    while (experts.size < 2) experts.add(topic * 8 + Math.floor(random() * 8));
    while (experts.size < 4) experts.add(Math.floor(random() * 32));
    return [...experts];
  });
  const tokens = new Array<number>(32).fill(0);
  const coactivations = new Array<number>(32 * 32).fill(0);
  for (const experts of routes)
    for (const first of experts) {
      tokens[first] = (tokens[first] ?? 0) + 1;
      for (const second of experts)
        if (second !== first) coactivations[first * 32 + second] = (coactivations[first * 32 + second] ?? 0) + 1;
    }
  return {
    loads: { numExperts: 32, topK: 4, numSteps: 4000, layers: [{ layerIndex: 0, tokens, coactivations }] },
    routes,
  };
}
