import { type CountSums } from '@expertmesh/shared/balance/count-sums';
import { layerGinis } from '@expertmesh/shared/balance/expert-use';
import { BalanceView } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { balancedness, capacityWeightedBalancedness, overLayers } from '@expertmesh/shared/placement/balance-measures';
import { type PlanCluster } from '@expertmesh/shared/placement/plan-cluster';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { predictPlacement } from '@expertmesh/shared/placement/predict-placement';

/**
 * How even the placement's workers are loaded, from what each was really sent; `stepSeconds` is predicted from the
 * experts' loads, and 0 where the workers' speeds are not known. Without a placement nothing is uneven.
 */
export function balanceView(
  sums: CountSums,
  placement: Placement | undefined,
  cluster: PlanCluster | undefined,
): BalanceView {
  const { layerIndices } = sums.shape;
  const layers = layerIndices.map((_, layer) => workerTokens(sums, placement, layer));
  const plain = overLayers(layers.map(balancedness));
  const speeds = placement && cluster && workerSpeeds(sums, placement, cluster);
  const weighted =
    speeds === undefined ? plain : overLayers(layers.map((tokens) => capacityWeightedBalancedness(tokens, speeds)));
  return BalanceView.create({
    meanBalancedness: plain.mean,
    worstBalancedness: plain.worst,
    worstLayerIndex: layerIndices[plain.worstLayer] ?? 0,
    meanWeightedBalancedness: weighted.mean,
    worstWeightedBalancedness: weighted.worst,
    stepSeconds: speeds === undefined ? 0 : predictStep(sums, placement, cluster),
    workersPerToken: workersPerToken(sums),
    gini: mean(layerGinis(sums)),
  });
}

/** Balancedness of each layer, in the shape's order. */
export function layerBalancedness(sums: CountSums, placement: Placement | undefined): number[] {
  return sums.shape.layerIndices.map((_, layer) => balancedness(workerTokens(sums, placement, layer)));
}

const workerTokens = (sums: CountSums, placement: Placement | undefined, layer: number): number[] =>
  (placement?.workerIds ?? []).map((workerId) => sums.workers.get(workerId)?.tokens[layer] ?? 0);

// Routed tokens per second at the observed mix; undefined while some worker's speed is not known.
function workerSpeeds(sums: CountSums, placement: Placement, cluster: PlanCluster): number[] | undefined {
  const activePerToken = total(sums.activeSteps) / Math.max(1, total(sums.tokens));
  const speeds = placement.workerIds.flatMap((workerId) => {
    const worker = cluster.workers.find((candidate) => candidate.workerId === workerId);
    return worker ? [1 / (worker.secondsPerActiveExpert * activePerToken + worker.secondsPerToken)] : [];
  });
  return speeds.length === placement.workerIds.length ? speeds : undefined;
}

// Which experts are used together matters for the wire alone, and is left out: this is asked for every second.
const predictStep = (sums: CountSums, placement: Placement | undefined, cluster: PlanCluster | undefined): number =>
  placement && cluster ? predictPlacement(placement, cluster, sums.toLoads(false)).stepSeconds : 0;

function workersPerToken(sums: CountSums): number {
  const numRowsSent = [...sums.workers.values()].reduce((sum, { rows }) => sum + total(rows), 0);
  const numRowsRouted = total(sums.tokens) / sums.shape.topK;
  return numRowsRouted > 0 ? numRowsSent / numRowsRouted : 0;
}

const total = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
