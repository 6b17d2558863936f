import { balancedPlacement } from './planner/balanced-placement.js';
import { placeByWishes } from './planner/place-by-wishes.js';
import { type ExpertLoads } from './expert-loads.js';
import { type PlanCluster } from './plan-cluster.js';
import { type Placement } from './placement.js';
import { diffPlacements, type PlacementDiff } from './placement-diff.js';
import {
  planningProblem,
  type LayerReplicas,
  type PlanConstraints,
  type PlanningProblem,
} from './planner/planning-problem.js';
import { contiguousWishes, eplbWishes, roundRobinWishes } from './planner/policy-wishes.js';
import { predictLayers, type PlacementPrediction } from './predict-placement.js';
import { type SearchLimits } from './planner/search-budget.js';

/**
 * How experts are placed:
 * - `contiguous`: consecutive experts on each worker, as many on each as memory allows to be equal;
 * - `round-robin`: one expert for each worker in turn;
 * - `eplb`: deepseek-ai/EPLB, global policy, by tokens alone;
 * - `balanced`: the least predicted step time, from loads, speeds, memory, the wire and what moving costs.
 */
export const PLACEMENT_POLICIES = ['contiguous', 'round-robin', 'eplb', 'balanced'] as const;

export type PlacementPolicy = (typeof PLACEMENT_POLICIES)[number];

export interface PlanOptions extends PlanConstraints, SearchLimits {
  /** Of the planned placement (one more than the previous one's, or 1). */
  readonly version?: number;
}

export interface PlacementPlan {
  readonly policy: PlacementPolicy;
  readonly placement: Placement;
  readonly prediction: PlacementPrediction;
  /** From the previous placement. */
  readonly diff: PlacementDiff;
}

/**
 * Plans where the replicas of every layer of the loads go. Whatever the policy: no worker has an expert twice, nobody
 * exceeds its memory budget, every expert is in enough failure domains, and cordoned and draining workers get nothing
 * new. A pure function but for the clock of `timeBudgetMs`.
 *
 * @throws ExpertmeshError that says why there is no such placement: `invalid_argument` for input that makes no sense,
 * `failed_precondition` for too few   failure domains or workers, `resource_exhausted` for how much memory is missing.
 */
export function planPlacement(
  policy: PlacementPolicy,
  cluster: PlanCluster,
  loads: ExpertLoads,
  options: PlanOptions = {},
): PlacementPlan {
  const problem = planningProblem(cluster, loads, options);
  const replicas = placeLayers(policy, problem, options);
  const { previous, version = (previous?.version ?? 0) + 1 } = options;
  const placement: Placement = {
    version,
    numExperts: problem.numExperts,
    workerIds: problem.workers.map(({ workerId }) => workerId),
    replicas: new Map(problem.layers.map(({ layerIndex }, position) => [layerIndex, replicas[position] ?? []])),
  };
  return {
    policy,
    placement,
    prediction: predictLayers(problem, replicas),
    diff: diffPlacements(previous, placement, cluster.expertSizeBytes),
  };
}

function placeLayers(
  policy: PlacementPolicy,
  problem: PlanningProblem,
  limits: SearchLimits,
): readonly LayerReplicas[] {
  switch (policy) {
    case 'contiguous':
      return placeByWishes(problem, contiguousWishes);
    case 'round-robin':
      return placeByWishes(problem, roundRobinWishes);
    case 'eplb':
      return placeByWishes(problem, eplbWishes);
    case 'balanced':
      return balancedPlacement(problem, limits);
  }
}
