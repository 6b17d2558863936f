import { describe, expect, it } from 'vitest';
import {
  balancednessOfEplb,
  equalWorkers,
  EXPERT_BYTES,
  integer,
  planCluster,
  planWorker,
  randomLoads,
  numPlanningCases,
} from '@expertmesh/test-kit/planning-cases';
import { type ExpertLoads } from '../expert-loads.js';
import { type PlanCluster } from '../plan-cluster.js';
import { planPlacement, type PlacementPlan, type PlanOptions } from '../plan-placement.js';
import { seededRandom } from '../../random/seeded-random.js';

const TIMEOUT_MS = 60_000;

interface Comparison {
  readonly eplb: PlacementPlan;
  readonly balanced: PlacementPlan;
}

const compare = (cluster: PlanCluster, loads: ExpertLoads, options: PlanOptions): Comparison => ({
  eplb: planPlacement('eplb', cluster, loads, options),
  balanced: planPlacement('balanced', cluster, loads, options),
});

const randomShape = (random: () => number) => ({
  numLayers: integer(random, 1, 2),
  numExperts: 16 * integer(random, 2, 8),
  topK: 4,
  rowsPerStep: integer(random, 1, 64),
  skew: 0.3 + random(),
});

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

describe('balancedPlacement', () => {
  it(
    'is never below EPLB in balancedness on equal workers, nor slower, on 500 random load matrices (100 in short)',
    () => {
      let numBetter = 0;
      const numCases = numPlanningCases(500);
      for (let seed = 1; seed <= numCases; seed++) {
        const random = seededRandom(seed);
        const shape = randomShape(random);
        const redundantExperts = 8 * integer(random, 0, 2);
        const numSlots = ((shape.numExperts + redundantExperts) / 8) * shape.numLayers;
        const cluster = planCluster(equalWorkers(8, numSlots), random() < 0.5 ? 0 : 1e-5);
        const loads = randomLoads(seed, shape);
        const { eplb, balanced } = compare(cluster, loads, { redundantExperts, maxIterations: 200 });
        const [theirs, ours] = [eplb.prediction, balanced.prediction];
        // Where workers have only a few replicas each, two of one expert on a worker can be better than any lawful
        // placement.
        if (shape.numExperts >= 64)
          expect(ours.balancedness.mean).toBeGreaterThanOrEqual(balancednessOfEplb(loads, redundantExperts, 8) - 1e-6);
        expect(ours.balancedness.mean).toBeGreaterThanOrEqual(theirs.balancedness.mean - 1e-9);
        expect(ours.balancedness.worst).toBeGreaterThanOrEqual(theirs.balancedness.worst - 1e-9);
        expect(ours.stepSeconds).toBeLessThanOrEqual(theirs.stepSeconds * (1 + 1e-9));
        if (ours.stepSeconds < theirs.stepSeconds * 0.999) numBetter += 1;
      }
      expect(numBetter).toBeGreaterThan(numCases / 2);
    },
    TIMEOUT_MS,
  );

  it(
    'is at least a tenth faster than EPLB on uneven workers in the median, and never slower',
    () => {
      const ratios: number[] = [];
      for (let seed = 1; seed <= 100; seed++) {
        const random = seededRandom(seed);
        const shape = randomShape(random);
        const fairSlots = Math.ceil((shape.numExperts * shape.numLayers) / 6);
        const workers = Array.from({ length: 6 }, (_, w) =>
          planWorker(`w${String(w)}`, Math.ceil(fairSlots * (1.05 + random())), 1 + random() * 2),
        );
        const { eplb, balanced } = compare(planCluster(workers), randomLoads(seed, shape), { maxIterations: 500 });
        ratios.push(balanced.prediction.stepSeconds / eplb.prediction.stepSeconds);
      }
      expect(Math.max(...ratios)).toBeLessThanOrEqual(1 + 1e-9);
      expect(median(ratios)).toBeLessThan(0.9);
    },
    TIMEOUT_MS,
  );

  it(
    'is never worse than EPLB by its own objective, moving and the wire included',
    () => {
      for (let seed = 1; seed <= numPlanningCases(150); seed++) {
        const random = seededRandom(seed);
        const shape = randomShape(random);
        const workers = Array.from({ length: integer(random, 2, 6) }, (_, w) =>
          planWorker(`w${String(w)}`, shape.numExperts * shape.numLayers, integer(random, 1, 3)),
        );
        const cluster = planCluster(workers, 1e-5);
        const previous = planPlacement('round-robin', cluster, randomLoads(seed, shape)).placement;
        const moveSecondsPerByte = 10 ** -integer(random, 10, 14);
        const options = { previous, moveSecondsPerByte, maxIterations: 200 };
        const { eplb, balanced } = compare(cluster, randomLoads(seed + 1000, shape), options);
        const objective = ({ prediction, diff }: PlacementPlan): number =>
          prediction.stepSeconds + moveSecondsPerByte * diff.bytesToMove;
        expect(objective(balanced)).toBeLessThanOrEqual(objective(eplb) * (1 + 1e-9));
      }
    },
    TIMEOUT_MS,
  );

  it('moves nothing where moving costs more than it could gain, and little where it costs something', () => {
    const shape = { numLayers: 4, numExperts: 64, topK: 8, rowsPerStep: 32, skew: 0.8 };
    const cluster = planCluster(equalWorkers(4, 4 * 68));
    const previous = planPlacement('contiguous', cluster, randomLoads(1, shape)).placement;
    const numLoads = (moveSecondsPerByte: number): number =>
      planPlacement('balanced', cluster, randomLoads(2, shape), { previous, moveSecondsPerByte }).diff.numLoads;
    expect(numLoads(1)).toBe(0);
    const numLittle = numLoads(5e-6 / EXPERT_BYTES);
    expect(numLittle).toBeGreaterThan(0);
    expect(numLittle).toBeLessThan(numLoads(0) / 2);
  });

  it('evens equal workers out whatever the wire says, where moves are worth it, and with fewer moves than EPLB', () => {
    const shape = { numLayers: 2, numExperts: 128, topK: 8, rowsPerStep: 16, skew: 0.8 };
    const cluster = planCluster(equalWorkers(8, 2 * 20), 1e-5);
    const options = { redundantExperts: 8, maxIterations: 2000 };
    const previous = planPlacement('contiguous', cluster, randomLoads(1, shape), options).placement;
    const { eplb, balanced } = compare(cluster, randomLoads(1, shape), {
      ...options,
      previous,
      moveSecondsPerByte: 1e-7 / EXPERT_BYTES,
    });
    expect(balanced.prediction.balancedness.worst).toBeGreaterThan(0.98);
    expect(balanced.diff.numLoads).toBeLessThan(eplb.diff.numLoads);
  });

  it('brings experts together that tokens need together, where sending rows costs', () => {
    const separatedPairs = (secondsPerRow: number): number => {
      const { placement } = planPlacement('balanced', planCluster(equalWorkers(4, 40), secondsPerRow), pairedLoads());
      const workerOf = placement.replicas.get(0)?.map(([w]) => w) ?? [];
      return workerOf.filter((w, e) => w !== workerOf[63 - e]).length / 2;
    };
    // The loads are all equal, and dealing the experts out separates every pair.
    expect(separatedPairs(0)).toBe(32);
    expect(separatedPairs(1e-3)).toBeLessThan(4);
  });

  it('uses a new worker', () => {
    const shape = { numLayers: 2, numExperts: 32, topK: 4, rowsPerStep: 32, skew: 0.5 };
    const loads = randomLoads(3, shape);
    const previous = planPlacement('balanced', planCluster(equalWorkers(3, 40)), loads).placement;
    const { prediction, diff } = planPlacement('balanced', planCluster(equalWorkers(4, 40)), loads, {
      previous,
      moveSecondsPerByte: 1e-6 / EXPERT_BYTES,
    });
    expect(prediction.balancedness.worst).toBeGreaterThan(0.9);
    expect(new Set(diff.moves.filter(({ load }) => load.length > 0).map(({ workerId }) => workerId))).toContain('w3');
  });

  it('stops when its time is over, with what it has by then', () => {
    const shape = { numLayers: 2, numExperts: 64, topK: 8, rowsPerStep: 32, skew: 0.8 };
    const cluster = planCluster(equalWorkers(4, 32), 1e-5);
    let numLooks = 0;
    // A second passes with every look at the clock.
    const nowMs = (): number => 1000 * numLooks++;
    planPlacement('balanced', cluster, randomLoads(1, shape), { timeBudgetMs: 5000, maxIterations: 1e9, nowMs });
    expect(numLooks).toBe(6);
  });

  it('finds more with more iterations, and another seed finds something else', () => {
    const cluster = planCluster(equalWorkers(4, 40), 1e-4);
    const plan = (maxIterations: number, seed = 0): PlacementPlan =>
      planPlacement('balanced', cluster, pairedLoads(), { maxIterations, seed });
    const seconds = [10, 300, 10_000].map((maxIterations) => plan(maxIterations).prediction.stepSeconds);
    expect(seconds).toEqual(seconds.toSorted((a, b) => b - a));
    expect(plan(300, 1).placement).not.toEqual(plan(300, 2).placement);
  });
});

// 64 experts, 2 a token: always i and 63 - i.
function pairedLoads(): ExpertLoads {
  const tokens = new Array<number>(64).fill(100);
  const coactivations = new Array<number>(64 * 64).fill(0);
  for (let e = 0; e < 64; e++) coactivations[e * 64 + (63 - e)] = 100;
  return { numExperts: 64, topK: 2, numSteps: 100, layers: [{ layerIndex: 0, tokens, coactivations }] };
}
