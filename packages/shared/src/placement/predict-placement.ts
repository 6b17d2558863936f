import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { balancedness, capacityWeightedBalancedness, overLayers, type LayersBalancedness } from './balance-measures.js';
import { type ExpertLoads } from './expert-loads.js';
import { type PlanCluster } from './plan-cluster.js';
import { type Placement } from './placement.js';
import {
  planningProblem,
  type LayerProblem,
  type LayerReplicas,
  type PlanningProblem,
} from './planner/planning-problem.js';
import { shareOf, workerLoad, workerReach, type HeldReplicas } from './planner/step-cost.js';

/**
 * What a placement is expected to do under given loads. Layers and workers are in the order of the loads and of the
 * cluster.
 */
export interface PlacementPrediction {
  /** Of routed tokens: mean over largest worker, as the field reports it. */
  readonly balancedness: LayersBalancedness;
  /** The same with each worker's tokens over its speed; this one is what counts on uneven workers. */
  readonly capacityWeightedBalancedness: LayersBalancedness;
  /** Experts and wire of all layers of one step, without attention and head. */
  readonly stepSeconds: number;
  /** Distinct workers that a token row is sent to, mean over layers. */
  readonly workersPerToken: number;
  /** [layers][workers] routed tokens per step. */
  readonly tokensPerStep: readonly (readonly number[])[];
  /** [layers][workers] seconds per step. */
  readonly secondsPerStep: readonly (readonly number[])[];
}

/**
 * Predicts any placement, the one in force included.
 *
 * @throws ExpertmeshError `invalid_argument` for input that makes no sense, or where no worker of the cluster holds
 * some expert.
 */
export function predictPlacement(placement: Placement, cluster: PlanCluster, loads: ExpertLoads): PlacementPrediction {
  const workers = cluster.workers.map((worker) => ({ ...worker, state: 'accepting' as const }));
  const problem = planningProblem({ ...cluster, workers }, loads, { previous: placement });
  for (const { layerIndex, previous } of problem.layers) {
    const expertId = previous.findIndex((holders) => holders.length === 0);
    if (expertId >= 0)
      throw new ExpertmeshError(
        'invalid_argument',
        `placement ${String(placement.version)} has no worker of this cluster for expert ${String(expertId)} of ` +
          `layer ${String(layerIndex)}`,
      );
  }
  return predictLayers(
    problem,
    problem.layers.map(({ previous }) => previous),
  );
}

export function predictLayers(problem: PlanningProblem, replicas: readonly LayerReplicas[]): PlacementPrediction {
  const layers = problem.layers.map((layer, position) => predictLayer(problem, layer, replicas[position] ?? []));
  const speeds = problem.workers.map(({ speed }) => speed);
  return {
    balancedness: overLayers(layers.map(({ tokens }) => balancedness(tokens))),
    capacityWeightedBalancedness: overLayers(layers.map(({ tokens }) => capacityWeightedBalancedness(tokens, speeds))),
    stepSeconds: layers.reduce((total, { totalSeconds }) => total + totalSeconds, 0),
    workersPerToken: layers.reduce((total, { reached }) => total + reached, 0) / Math.max(1, layers.length),
    tokensPerStep: layers.map(({ tokens }) => tokens),
    secondsPerStep: layers.map(({ seconds }) => seconds),
  };
}

interface LayerPrediction {
  readonly tokens: readonly number[];
  readonly seconds: readonly number[];
  readonly reached: number;
  readonly totalSeconds: number;
}

function predictLayer(problem: PlanningProblem, { demand }: LayerProblem, replicas: LayerReplicas): LayerPrediction {
  const held = heldByWorkers(problem, replicas);
  const loads = problem.workers.map((worker, w) => workerLoad(demand, worker, held[w] ?? NONE));
  const seconds = loads.map((load) => load.seconds);
  const reached = held.reduce((total, ofWorker) => total + workerReach(demand, ofWorker), 0);
  const wireSeconds = problem.secondsPerRow * demand.rowsPerStep * reached;
  return {
    tokens: loads.map(({ tokens }) => tokens),
    seconds,
    reached,
    totalSeconds: Math.max(0, ...seconds) + wireSeconds,
  };
}

const NONE: HeldReplicas = { expertIds: [], shares: [] };

function heldByWorkers(problem: PlanningProblem, replicas: LayerReplicas): HeldReplicas[] {
  return problem.workers.map((worker, w) => {
    const expertIds = [...replicas.keys()].filter((expertId) => replicas[expertId]?.includes(w));
    const shares = expertIds.map((expertId) => shareOf(problem, worker, replicas[expertId] ?? []));
    return { expertIds, shares };
  });
}
