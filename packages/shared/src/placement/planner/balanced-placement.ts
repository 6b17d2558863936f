import { isBetter, LayerState } from './layer-state.js';
import { levelTokens } from './level-tokens.js';
import { buildLayers, noCover, placeByWishes } from './place-by-wishes.js';
import { type LayerReplicas, type PlanningProblem } from './planning-problem.js';
import { eplbWishes, fastestFirstWishes, previousWishes } from './policy-wishes.js';
import { type FreeSlots } from './relieve-slowest.js';
import { SearchBudget, type SearchLimits } from './search-budget.js';
import { exchangeInLayers, relieveLayers } from './search-layers.js';
import { seededRandom } from '../../random/seeded-random.js';
import { slotQuotas, type SlotQuotas } from './slot-quotas.js';

/**
 * Where moving costs, a layer is balanced enough when its busiest worker has so little more than the mean: what is
 * observed differs by more.
 */
const BALANCED_ENOUGH = 0.99;

/**
 * Starts from the best of EPLB, packing by speed, and what is in force, layer by layer, and improves that by local
 * search, which may end at any time. Never slower than `eplb` by its own prediction. On equal workers no layer's
 * busiest worker gets more tokens than with `eplb` either, unless moving costs: then a layer is evened out as far as
 * the moves are worth it.
 *
 * @throws ExpertmeshError that says why there is no placement.
 */
export function balancedPlacement(problem: PlanningProblem, limits: SearchLimits): readonly LayerReplicas[] {
  const budget = new SearchBudget(limits);
  const [states = [], ...others] = startingPoints(problem, budget).sort(
    (a, b) => total(a, 'excessTokens') - total(b, 'excessTokens') || total(a, 'seconds') - total(b, 'seconds'),
  );
  const freeSlots = freeSlotsOf(problem, states);
  for (const other of others) takeBetterLayers(states, other, freeSlots);
  relieveLayers(states, freeSlots, budget);
  exchangeInLayers(states, freeSlots, budget, seededRandom(limits.seed ?? 0));
  return states.map(({ replicas }) => replicas);
}

function startingPoints(problem: PlanningProblem, budget: SearchBudget): LayerState[][] {
  const eplb = placeByWishes(problem, eplbWishes);
  const bySpeed = buildLayers(problem, speedQuotas(problem), fastestFirstWishes) ?? noCover(problem);
  const previous = hasPrevious(problem) ? buildLayers(problem, previousQuotas(problem), previousWishes) : undefined;

  const maxTokens = areEqual(problem.workers) ? tokenLimits(problem, eplb) : [];
  const starts = [eplb, bySpeed].map((replicas) => statesOf(problem, replicas, maxTokens));
  if (previous === undefined) return starts;
  if (problem.moveSecondsPerByte === 0) return [...starts, statesOf(problem, previous, maxTokens)];
  // Where moving costs, the few moves that bring most have to be found before anything that moves everything is looked
  // at.
  const candidates = maxTokens.length > 0 ? [previous, levelled(problem, previous, maxTokens)] : [previous];
  const nearby = candidates.map((replicas) => statesOf(problem, replicas, maxTokens));
  for (const states of nearby) relieveLayers(states, freeSlotsOf(problem, states), budget);
  return [...starts, ...nearby];
}

const levelled = (problem: PlanningProblem, replicas: readonly LayerReplicas[], maxTokens: readonly number[]) =>
  problem.layers.map((layer, position) =>
    levelTokens(problem, layer, replicas[position] ?? [], maxTokens[position] ?? Infinity),
  );

const speedQuotas = (problem: PlanningProblem): SlotQuotas =>
  slotQuotas(
    problem,
    problem.workers.map(({ speed }) => speed),
  );

const hasPrevious = ({ layers }: PlanningProblem): boolean =>
  layers.some(({ previous }) => previous.some((holders) => holders.length > 0));

// As many as each worker has now, as far as its memory still goes.
function previousQuotas({ layers, workers }: PlanningProblem): SlotQuotas {
  const spare = workers.map(({ acceptsReplicas, numSlots }) => (acceptsReplicas ? numSlots : 0));
  const rows = layers.map(({ previous }) =>
    workers.map((_, w) => {
      const slots = Math.min(spare[w] ?? 0, previous.filter((holders) => holders.includes(w)).length);
      spare[w] = (spare[w] ?? 0) - slots;
      return slots;
    }),
  );
  return { rows, spare };
}

/** @param maxTokens [layers] limits to the busiest worker's tokens; empty for none */
const statesOf = (
  problem: PlanningProblem,
  replicas: readonly LayerReplicas[],
  maxTokens: readonly number[],
): LayerState[] =>
  problem.layers.map(
    (layer, position) => new LayerState(problem, layer, replicas[position] ?? [], maxTokens[position] ?? Infinity),
  );

/**
 * [layers] routed tokens per step that the busiest of equal workers is to have at most: what EPLB gives it, or nearly
 * that.
 */
function tokenLimits(problem: PlanningProblem, eplb: readonly LayerReplicas[]): number[] {
  const enough = problem.moveSecondsPerByte > 0 ? BALANCED_ENOUGH : 1;
  return statesOf(problem, eplb, []).map(({ busiestTokens, layer }) => {
    const tokens = layer.demand.tokensPerStep.reduce((sum, count) => sum + count, 0);
    return Math.max(busiestTokens, tokens / problem.numWorkers / enough);
  });
}

// Balancedness is a fair measure of these only.
const areEqual = (workers: PlanningProblem['workers']): boolean =>
  workers.every(
    ({ secondsPerActiveExpert, secondsPerToken }) =>
      secondsPerActiveExpert === workers[0]?.secondsPerActiveExpert && secondsPerToken === workers[0].secondsPerToken,
  );

const total = (states: readonly LayerState[], key: 'excessTokens' | 'seconds'): number =>
  states.reduce((sum, { score }) => sum + score[key], 0);

function freeSlotsOf({ workers }: PlanningProblem, states: readonly LayerState[]): FreeSlots {
  return workers.map(({ numSlots, acceptsReplicas }, w) =>
    acceptsReplicas ? numSlots - states.reduce((used, state) => used + state.membersOf(w).length, 0) : 0,
  );
}

// Layers of another candidate, where they are better and memory allows.
function takeBetterLayers(states: LayerState[], others: readonly LayerState[], freeSlots: FreeSlots): void {
  for (const [position, other] of others.entries()) {
    const current = states[position];
    if (current === undefined || !isBetter(other.score, current.score)) continue;
    const after = freeSlots.map((free, w) => free + current.membersOf(w).length - other.membersOf(w).length);
    if (after.some((free) => free < 0)) continue;
    states[position] = other;
    for (const [w, free] of after.entries()) freeSlots[w] = free;
  }
}
