import { LayerState } from './layer-state.js';
import { type LayerProblem, type LayerReplicas, type PlanningProblem } from './planning-problem.js';
import { relieveSlowest } from './relieve-slowest.js';
import { SearchBudget } from './search-budget.js';

/** More than it takes; a bound all the same. */
const MAX_ITERATIONS = 1000;
/** Loads that differ less are the same: EPLB adds up in fp32. */
const TOLERANCE = 1e-6;

/**
 * Exchanges and replaces replicas of a layer until no worker gets more than `maxTokens` routed tokens per step,
 * replicas sharing them equally, or nothing helps. Everyone keeps as many replicas as it has.
 */
export function levelTokens(
  problem: PlanningProblem,
  layer: LayerProblem,
  replicas: LayerReplicas,
  maxTokens: number,
): LayerReplicas {
  const state = new LayerState(tokensAlone(problem), layer, replicas, Infinity);
  const budget = new SearchBudget({ maxIterations: MAX_ITERATIONS, timeBudgetMs: Infinity });
  const noSlots = problem.workers.map(() => 0);
  let isBetter = true;
  while (isBetter && state.busiestTokens > maxTokens * (1 + TOLERANCE))
    isBetter = relieveSlowest(state, noSlots, budget);
  return state.replicas;
}

const tokensAlone = (problem: PlanningProblem): PlanningProblem => ({
  ...problem,
  secondsPerRow: 0,
  moveSecondsPerByte: 0,
  workers: problem.workers.map((worker) => ({ ...worker, secondsPerActiveExpert: 0, secondsPerToken: 1, speed: 1 })),
});
