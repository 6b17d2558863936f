import { type PlacementDocument } from '@expertmesh/shared/cluster/placement-document';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import {
  BalanceView,
  PlacementView,
  type PlacementLayer,
  type WorkerMove,
} from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { gini } from '@expertmesh/shared/placement/balance-measures';
import { type ExpertLoads } from '@expertmesh/shared/placement/expert-loads';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type PlacementDiff } from '@expertmesh/shared/placement/placement-diff';
import { type PlacementPrediction } from '@expertmesh/shared/placement/predict-placement';

/** Placements and what is predicted of them, as AdminService shows them. */

/** @param loads of the window that the view is made from */
export function placementLayers(placement: Placement, loads?: ExpertLoads): PlacementLayer[] {
  return [...placement.replicas].map(([layerIndex, experts]) => {
    const offsets = [0];
    for (const holders of experts) offsets.push((offsets.at(-1) ?? 0) + holders.length);
    const tokens = loads?.layers.find((layer) => layer.layerIndex === layerIndex)?.tokens ?? [];
    return { layerIndex, offsets, workerIndices: experts.flat(), expertTokens: Array.from(tokens) };
  });
}

export function documentView(document: PlacementDocument): PlacementView {
  const { placement, epoch, policy, actor, reason, createdMs } = document;
  const { version, workerIds, numExperts } = placement;
  return PlacementView.create({
    version,
    epoch,
    policy,
    actor,
    reason,
    createdMs,
    workerIds: [...workerIds],
    numExperts,
  });
}

/** @throws ExpertmeshError `invalid_argument` for a view that is no placement of this model. */
export function placementFromView(view: PlacementView, layerIndices: readonly number[]): Placement {
  const { version, numExperts, workerIds, layers } = view;
  const replicas = new Map(layers.map((layer) => [layer.layerIndex, holdersIn(layer, workerIds.length)]));
  const isComplete = layerIndices.every((layerIndex) => replicas.get(layerIndex)?.length === numExperts);
  if (!isComplete || replicas.size !== layerIndices.length)
    throw invalid(`it must have ${String(numExperts)} experts in each of ${String(layerIndices.length)} layers`);
  return { version, numExperts, workerIds, replicas };
}

function holdersIn({ layerIndex, offsets, workerIndices }: PlacementLayer, numWorkers: number): number[][] {
  return offsets.slice(1).map((end, expertId) => {
    const holders = workerIndices.slice(offsets[expertId], end);
    const isSound = holders.length > 0 && new Set(holders).size === holders.length;
    if (isSound && holders.every((holder) => holder < numWorkers)) return holders.sort((a, b) => a - b);
    throw invalid(`expert ${String(expertId)} of layer ${String(layerIndex)} must be on one distinct worker or more`);
  });
}

export function workerMoves({ moves }: PlacementDiff): WorkerMove[] {
  return moves.map(({ workerId, layerIndex, load, drop }) => ({
    workerId,
    layerIndex,
    load: [...load],
    drop: [...drop],
  }));
}

export function balanceView(prediction: PlacementPrediction, layerIndices: readonly number[]): BalanceView {
  const { balancedness, capacityWeightedBalancedness, stepSeconds, workersPerToken, tokensPerStep } = prediction;
  const ginis = tokensPerStep.map((tokens) => gini(tokens));
  return BalanceView.create({
    meanBalancedness: balancedness.mean,
    worstBalancedness: balancedness.worst,
    worstLayerIndex: layerIndices[balancedness.worstLayer] ?? 0,
    meanWeightedBalancedness: capacityWeightedBalancedness.mean,
    worstWeightedBalancedness: capacityWeightedBalancedness.worst,
    stepSeconds,
    workersPerToken,
    gini: ginis.reduce((total, value) => total + value, 0) / Math.max(1, ginis.length),
  });
}

const invalid = (what: string): ExpertmeshError =>
  new ExpertmeshError('invalid_argument', `the plan is no placement of this model: ${what}; send it as it was planned`);
