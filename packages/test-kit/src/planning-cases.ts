import { balancedness, overLayers } from '@expertmesh/shared/placement/balance-measures';
import { rebalanceExperts } from '@expertmesh/shared/placement/eplb';
import { type ExpertLoads } from '@expertmesh/shared/placement/expert-loads';
import { type PlanCluster, type PlanWorker } from '@expertmesh/shared/placement/plan-cluster';
import { seededRandom } from '@expertmesh/shared/random/seeded-random';

/** Inputs for placement planning, made up from a seed. */

export type Random = () => number;

export function integer(random: Random, from: number, to: number): number {
  return from + Math.floor(random() * (to - from + 1));
}

export interface LoadShape {
  readonly numLayers: number;
  readonly numExperts: number;
  readonly topK: number;
  /** Token rows of a step. */
  readonly rowsPerStep: number;
  /** Standard deviation of the logarithm of expert popularity. */
  readonly skew: number;
}

const NUM_STEPS = 1000;

/** Token counts with log-normal popularity, each layer with its own. */
export function randomLoads(seed: number, { numLayers, numExperts, topK, rowsPerStep, skew }: LoadShape): ExpertLoads {
  const random = seededRandom(seed);
  const layers = Array.from({ length: numLayers }, (_, layerIndex) => {
    const popularity = Array.from({ length: numExperts }, () => Math.exp(skew * gaussian(random)));
    const total = popularity.reduce((sum, value) => sum + value, 0);
    const routed = rowsPerStep * topK * NUM_STEPS;
    // No expert can have more than every row.
    const tokens = popularity.map((value) => Math.min(rowsPerStep * NUM_STEPS, Math.round((value / total) * routed)));
    return { layerIndex, tokens };
  });
  return { numExperts, topK, numSteps: NUM_STEPS, layers };
}

export const EXPERT_BYTES = 1_000_000;

/** A worker of speed 1 reads an expert in 100 us and computes a routed token in 20 us. */
export function planWorker(workerId: string, numSlots: number, speed = 1, domain = workerId): PlanWorker {
  return {
    workerId,
    memoryBudgetBytes: numSlots * EXPERT_BYTES,
    secondsPerActiveExpert: 1e-4 / speed,
    secondsPerToken: 2e-5 / speed,
    failureDomain: domain,
    state: 'accepting',
  };
}

export function planCluster(workers: readonly PlanWorker[], secondsPerRow = 0): PlanCluster {
  return {
    workers,
    expertSizeBytes: EXPERT_BYTES,
    secondsPerRow,
  };
}

/** Workers that differ in nothing but their names, with room for this many replicas each. */
export function equalWorkers(numWorkers: number, numSlots: number): PlanWorker[] {
  return Array.from({ length: numWorkers }, (_, w) => planWorker(`w${String(w)}`, numSlots));
}

/**
 * Balancedness of what EPLB leaves on equal workers, two replicas of an expert on a worker included; mean over layers.
 */
export function balancednessOfEplb(loads: ExpertLoads, redundantExperts: number, numWorkers: number): number {
  const { numExperts, layers } = loads;
  const numPhysical = numExperts + redundantExperts;
  const matrix = layers.map(({ tokens }) => tokens);
  const { physicalToLogical, replicaCounts } = rebalanceExperts(matrix, numPhysical, 1, 1, numWorkers);
  const ofLayers = layers.map(({ tokens }, layer) => {
    const workers = new Array<number>(numWorkers).fill(0);
    for (const [physical, expertId] of (physicalToLogical[layer] ?? []).entries()) {
      const w = Math.floor((physical * numWorkers) / numPhysical);
      workers[w] = (workers[w] ?? 0) + (tokens[expertId] ?? 0) / (replicaCounts[layer]?.[expertId] ?? 1);
    }
    return balancedness(workers);
  });
  return overLayers(ofLayers).mean;
}

function gaussian(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** A fifth of them, and all in `npm run test:planning`. */
export function numPlanningCases(full: number): number {
  return process.env['PLANNING'] === 'full' ? full : Math.ceil(full / 5);
}
