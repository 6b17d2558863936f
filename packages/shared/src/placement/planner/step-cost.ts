import { type LayerDemand } from '../expert-loads.js';
import { type PlanningProblem, type ProblemWorker } from './planning-problem.js';

/**
 * The cost model: a layer takes as long as its slowest worker, and a worker a x active experts + b x tokens. Replicas
 * share their expert's tokens by the speed of their workers, which on equal workers is EPLB's equal split. A dispatcher
 * that looks at the load of the moment does better, so this is the careful side.
 */
export function shareOf(problem: PlanningProblem, worker: ProblemWorker, holders: readonly number[]): number {
  if (holders.length === 1) return 1;
  let total = 0;
  for (const w of holders) total += problem.workers[w]?.speed ?? 0;
  return worker.speed / total;
}

/** Expected seconds per step that a replica costs its worker when it gets this share of the expert's tokens. */
export function replicaSeconds(demand: LayerDemand, worker: ProblemWorker, expertId: number, share: number): number {
  const active = demand.activeProbability[expertId] ?? 0;
  // A step without a token for this replica: the expert's tokens come independently, and each goes here with this
  // probability.
  const activeHere = share >= 1 ? active : 1 - (1 - active) ** share;
  const tokens = (demand.tokensPerStep[expertId] ?? 0) * share;
  return worker.secondsPerActiveExpert * activeHere + worker.secondsPerToken * tokens;
}

/** Replicas on one worker: experts, and the share of each one's tokens that comes here. */
export interface HeldReplicas {
  readonly expertIds: readonly number[];
  readonly shares: ArrayLike<number>;
}

/** Expected seconds per step, and routed tokens per step, that a worker has with these replicas of a layer. */
export function workerLoad(
  demand: LayerDemand,
  worker: ProblemWorker,
  { expertIds, shares }: HeldReplicas,
): { readonly seconds: number; readonly tokens: number } {
  let [seconds, tokens] = [0, 0];
  for (let i = 0; i < expertIds.length; i++) {
    const expertId = expertIds[i] ?? 0;
    const share = shares[i] ?? 0;
    seconds += replicaSeconds(demand, worker, expertId, share);
    tokens += (demand.tokensPerStep[expertId] ?? 0) * share;
  }
  return { seconds, tokens };
}

/**
 * Probability that a token row of the layer needs a worker with these replicas. The sum over workers is how often a row
 * is sent.
 */
export function workerReach(demand: LayerDemand, { expertIds, shares }: HeldReplicas): number {
  let [experts, pairs] = [0, 0];
  for (let i = 0; i < expertIds.length; i++) {
    const [first, share] = [expertIds[i] ?? 0, shares[i] ?? 0];
    experts += (demand.usage[first] ?? 0) * share;
    for (let j = 0; j < i; j++) pairs += 2 * demand.pairUsage(first, expertIds[j] ?? 0) * share * (shares[j] ?? 0);
  }
  return reachProbability(experts, pairs);
}

/**
 * Probability that at least one of a token's experts is on a worker, from the first two moments of how many are: the
 * mean, and the mean number of ordered pairs. A binomial or negative binomial distribution with these moments; exact
 * for one expert and for all of them, and within 0.3 % for any number of uniformly routed ones.
 */
export function reachProbability(meanExperts: number, meanPairs: number): number {
  if (meanExperts <= 0) return 0;
  const dispersion = meanPairs / meanExperts ** 2 - 1;
  if (Math.abs(dispersion) < 1e-9) return 1 - Math.exp(-meanExperts);
  const base = 1 + dispersion * meanExperts;
  return base <= 0 ? 1 : 1 - base ** (-1 / dispersion);
}
