import { packHeaviestFirst, replicateExperts } from '../eplb.js';
import { type LayerWishes } from './layer-builder.js';
import { type LayerProblem, type PlanningProblem } from './planning-problem.js';
import { separateReplicas, weightOf } from './separate-replicas.js';

/** What a policy wants of a layer, given how many new replicas each worker takes in it. */
export type WishPolicy = (problem: PlanningProblem, layer: LayerProblem, quota: readonly number[]) => LayerWishes;

/** Consecutive experts on each worker; redundant ones are experts 0, 1, ... once more. */
export const contiguousWishes: WishPolicy = (problem, layer, quota) => {
  const experts = replicasInOrder(layer, sum(quota));
  const owners = quota.flatMap((slots, w) => new Array<number>(slots).fill(w));
  return wishesOf(problem, layer, experts, owners);
};

/** One expert for each worker in turn, passing over full ones. */
export const roundRobinWishes: WishPolicy = (problem, layer, quota) => {
  const experts = replicasInOrder(layer, sum(quota));
  const owners = Array.from({ length: Math.max(0, ...quota) }, (_, turn) =>
    quota.flatMap((slots, w) => (turn < slots ? [w] : [])),
  ).flat();
  return wishesOf(problem, layer, experts, owners);
};

/**
 * EPLB's global policy by token counts. Packs hold what the quotas allow instead of equal numbers, and no expert twice,
 * for which other replicas give way until no worker is busier than EPLB would have it, as far as that is possible.
 */
export const eplbWishes: WishPolicy = (problem, layer, quota) => {
  const loads = Float32Array.from(layer.tokens);
  const { logicalOf, counts } = replicateExperts(loads, layer.numReplicas, problem.minDomains);
  const replicas = withoutPinned(logicalOf, layer)
    .slice(0, sum(quota))
    .map((expertId) => ({ expertId, weight: Math.fround((loads[expertId] ?? 0) / (counts[expertId] ?? 1)) }));
  const weights = Float32Array.from(replicas, ({ weight }) => weight);
  const packs = packHeaviestFirst(weights, quota).map((items) => items.flatMap((item) => replicas[item] ?? []));
  const separated = separateReplicas(packs);
  const experts = separated.flatMap((pack) => pack.map(({ expertId }) => expertId));
  const owners = separated.flatMap((pack, w) => pack.map(() => w));
  const numSteps = sum(Array.from(layer.tokens)) / sum(Array.from(layer.demand.tokensPerStep));
  return {
    ...wishesOf(problem, layer, experts, owners),
    counts,
    // Without any counts all experts are alike.
    ...(numSteps > 0 ? { maxTokens: Math.max(...packs.map(weightOf)) / numSteps } : {}),
  };
};

/**
 * Replicas for the experts that cost most time, and no wish where they are: the layer is packed by the speed of
 * workers.
 */
export const fastestFirstWishes: WishPolicy = (problem, { demand, numReplicas }) => {
  const perActive = mean(problem.workers.map(({ secondsPerActiveExpert }) => secondsPerActiveExpert));
  const perToken = mean(problem.workers.map(({ secondsPerToken }) => secondsPerToken));
  const seconds = demand.tokensPerStep.map(
    (tokens, e) => perActive * (demand.activeProbability[e] ?? 0) + perToken * tokens,
  );
  // Sizes of fp32, whatever the unit of time.
  const largest = seconds.reduce((most, value) => Math.max(most, value), 0);
  const { counts } = replicateExperts(
    Float32Array.from(seconds, (value) => value / largest),
    numReplicas,
    problem.minDomains,
  );
  return { workersOf: counts.map(() => []), counts };
};

/** Keeps what was before, and replicates by time like fastestFirstWishes. */
export const previousWishes: WishPolicy = (problem, layer, quota) => {
  const { counts } = fastestFirstWishes(problem, layer, quota);
  return { workersOf: layer.previous, counts };
};

// Expert 0, 1, ... and again from 0, without what cordoned workers have.
function replicasInOrder(layer: LayerProblem, numNew: number): number[] {
  const numExperts = layer.pinned.length;
  const numPinned = sum(layer.pinned.map(({ length }) => length));
  const all = Array.from({ length: numNew + numPinned }, (_, i) => i % numExperts);
  return withoutPinned(all, layer).slice(0, numNew);
}

function withoutPinned(experts: readonly number[], { pinned }: LayerProblem): number[] {
  const numPinned = pinned.map(({ length }) => length);
  return experts.filter((expertId) => {
    const left = numPinned[expertId] ?? 0;
    numPinned[expertId] = left - 1;
    return left <= 0;
  });
}

function wishesOf(
  { numExperts }: PlanningProblem,
  { pinned }: LayerProblem,
  experts: readonly number[],
  owners: readonly number[],
): LayerWishes {
  const workersOf = Array.from({ length: numExperts }, (): number[] => []);
  for (const [i, expertId] of experts.entries()) workersOf[expertId]?.push(owners[i] ?? 0);
  const counts = workersOf.map(({ length }, expertId) => length + (pinned[expertId]?.length ?? 0));
  return { workersOf, counts };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;
