import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { PlacementPlan, PlacementView, type PlanRequest } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type ExpertLoads } from '@expertmesh/shared/placement/expert-loads';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { PLACEMENT_POLICIES, type PlacementPolicy } from '@expertmesh/shared/placement/plan-placement';
import { balanceView, placementLayers, workerMoves } from './plan-message.js';
import { type MadePlan, type PlanWish } from './planner.js';

/** @throws ExpertmeshError `invalid_argument` for a policy that there is not. */
export function toWish({ policy, redundantExperts, survive, workerIds, timeBudgetSeconds }: PlanRequest): PlanWish {
  return {
    policy: toPolicy(policy),
    redundantExperts,
    survive,
    workerIds,
    ...(timeBudgetSeconds > 0 && { timeBudgetMs: timeBudgetSeconds * 1000 }),
  };
}

export function toPlanMessage(
  made: MadePlan,
  policy: PlacementPolicy,
  layerIndices: readonly number[],
  loads: ExpertLoads,
): PlacementPlan {
  const { plan, baseVersion, before, after, observedTokens, remarks } = made;
  const { placement, diff } = plan;
  const { version, numExperts, workerIds } = placement;
  const layers = placementLayers(placement, loads);
  return PlacementPlan.create({
    baseVersion,
    placement: PlacementView.create({ version, policy, workerIds: [...workerIds], numExperts, layers }),
    ...(before && { before: balanceView(before, layerIndices) }),
    after: balanceView(after, layerIndices),
    bytesToMove: diff.bytesToMove,
    numLoads: diff.numLoads,
    numDrops: diff.numDrops,
    moves: workerMoves(diff),
    observedTokens: Math.round(observedTokens),
    remarks: [...remarks],
  });
}

/** Replicas of a layer beyond the first of each expert, of the layer that has most. */
export function redundantExpertsOf({ replicas, numExperts }: Placement): number {
  return Math.max(0, ...[...replicas.values()].map((layer) => layer.flat().length - numExperts));
}

/** Failure domains beyond the first that every expert is in. */
export function achievedSurvival({ replicas, workerIds }: Placement, domainOf: (workerId: string) => string): number {
  const domains = workerIds.map(domainOf);
  const numDomains = [...replicas.values()].flatMap((layer) =>
    layer.map((holders) => new Set(holders.map((holder) => domains[holder])).size),
  );
  return Math.max(0, numDomains.reduce((least, count) => Math.min(least, count), Infinity) - 1);
}

function toPolicy(text: string): PlacementPolicy {
  if (text === '') return 'balanced';
  const policy = PLACEMENT_POLICIES.find((known) => known === text);
  if (policy !== undefined) return policy;
  throw new ExpertmeshError(
    'invalid_argument',
    `policy is '${text}': it must be one of ${PLACEMENT_POLICIES.join(', ')}`,
    {
      param: 'policy',
    },
  );
}
