import { describe, expect, it } from 'vitest';
import { integer, planCluster, planWorker, randomLoads } from '@expertmesh/test-kit/planning-cases';
import { predictLayers } from '../predict-placement.js';
import { LayerState, type ReplicaStep } from './layer-state.js';
import { placeByWishes } from './place-by-wishes.js';
import { planningProblem, type PlanningProblem } from './planning-problem.js';
import { roundRobinWishes } from './policy-wishes.js';
import { seededRandom } from '../../random/seeded-random.js';

function problemOf(seed: number): PlanningProblem {
  const workers = [1, 2, 2, 5].map((speed, w) => planWorker(`w${String(w)}`, 99, speed));
  const loads = randomLoads(seed, { numLayers: 1, numExperts: 16, topK: 4, rowsPerStep: 8, skew: 1 });
  return planningProblem(planCluster(workers, 1e-5), loads, { redundantExperts: 8 });
}

function randomSteps(random: () => number): ReplicaStep[] {
  const expertId = integer(random, 0, 15);
  const [from, to] = [integer(random, 0, 3), integer(random, 0, 3)];
  const other = (expertId + integer(random, 1, 15)) % 16;
  const kinds = [
    [{ expertId, from, to }],
    [
      { expertId, from, to },
      { expertId: other, from: to, to: from },
    ],
    [
      { expertId, from },
      { expertId: other, to },
    ],
  ];
  return kinds[integer(random, 0, 2)] ?? [];
}

describe('LayerState', () => {
  it('knows after any changes, taken or not, what a prediction from scratch says', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const problem = problemOf(seed);
      const [layer] = problem.layers;
      const [replicas] = placeByWishes(problem, roundRobinWishes);
      if (layer === undefined || replicas === undefined) throw new Error('one layer is planned');
      const state = new LayerState(problem, layer, replicas, Infinity);
      const random = seededRandom(seed);
      let numTaken = 0;
      for (let i = 0; i < 300; i++) {
        const steps = randomSteps(random);
        if (!state.allows(steps)) continue;
        const before = state.score.seconds;
        const isTaken = state.tryImprove(steps);
        expect(state.score.seconds < before).toBe(isTaken);
        if (isTaken) numTaken += 1;
        expect(state.score.seconds).toBeCloseTo(predictLayers(problem, [state.replicas]).stepSeconds, 12);
      }
      expect(numTaken).toBeGreaterThan(3);
    }
  });

  it('foresees the seconds of the workers that a change concerns', () => {
    let numForeseen = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const problem = problemOf(seed);
      const [layer] = problem.layers;
      const [replicas] = placeByWishes(problem, roundRobinWishes);
      if (layer === undefined || replicas === undefined) throw new Error('one layer is planned');
      const random = seededRandom(seed);
      for (let i = 0; i < 100; i++) {
        const state = new LayerState(problem, layer, replicas, Infinity);
        const steps = randomSteps(random);
        if (!state.allows(steps)) continue;
        const concerned = new Set(steps.flatMap(({ expertId, from, to }) => [...state.holdersOf(expertId), from, to]));
        const foreseen = state.peakSecondsAfter(steps);
        if (!state.tryImprove(steps)) continue;
        const seconds = [...concerned].map((w) => (w === undefined ? 0 : state.secondsOf(w)));
        expect(foreseen).toBeCloseTo(Math.max(...seconds), 12);
        numForeseen += 1;
      }
    }
    expect(numForeseen).toBeGreaterThan(50);
  });
});
