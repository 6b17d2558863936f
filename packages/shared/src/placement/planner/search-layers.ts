import { type LayerState, type ReplicaStep } from './layer-state.js';
import { relieveSlowest, takeIfBetter, type FreeSlots } from './relieve-slowest.js';
import { type SearchBudget } from './search-budget.js';

/** Changes that a layer may have before it is the next one's turn, so that all layers get some of a short time. */
const RELIEFS_PER_TURN = 8;

/** Relieves every layer's slowest worker until nothing helps, in place. */
export function relieveLayers(states: readonly LayerState[], freeSlots: FreeSlots, budget: SearchBudget): void {
  let unfinished = states;
  while (unfinished.length > 0) unfinished = unfinished.filter((state) => relieve(state, freeSlots, budget));
}

/**
 * Random exchanges, in place, until the budget is spent. They find what the slowest worker does not show, co-activated
 * experts that belong together and moves that need not be, and make way for further relief.
 */
export function exchangeInLayers(
  states: readonly LayerState[],
  freeSlots: FreeSlots,
  budget: SearchBudget,
  random: () => number,
): void {
  // With time alone as the objective, relieving the slowest worker has already tried every change.
  if (!states.some(({ problem }) => problem.secondsPerRow > 0 || problem.moveSecondsPerByte > 0)) return;
  while (!budget.isSpent)
    for (const state of states)
      if (exchangeAtRandom(state, freeSlots, budget, random)) relieve(state, freeSlots, budget);
}

// Returns whether there may be more to relieve.
function relieve(state: LayerState, freeSlots: FreeSlots, budget: SearchBudget): boolean {
  let numReliefs = 0;
  while (numReliefs < RELIEFS_PER_TURN && relieveSlowest(state, freeSlots, budget)) numReliefs += 1;
  return numReliefs === RELIEFS_PER_TURN;
}

// As many tries as the layer has experts. Returns whether any helped.
function exchangeAtRandom(
  state: LayerState,
  freeSlots: FreeSlots,
  budget: SearchBudget,
  random: () => number,
): boolean {
  let isBetter = false;
  for (let i = 0; i < state.problem.numExperts && budget.spend(); i++) {
    const steps = randomChange(state, freeSlots, random);
    if (steps !== undefined && state.allows(steps) && takeIfBetter(state, steps, freeSlots)) isBetter = true;
  }
  return isBetter;
}

function randomChange(state: LayerState, freeSlots: FreeSlots, random: () => number): ReplicaStep[] | undefined {
  const { problem } = state;
  const pick = (n: number): number => Math.floor(random() * n);
  const [from, to] = [pick(problem.numWorkers), pick(problem.numWorkers)];
  const members = state.membersOf(from);
  const others = state.membersOf(to);
  const expertId = members[pick(members.length)];
  if (from === to || expertId === undefined) return undefined;
  if ((freeSlots[to] ?? 0) > 0 && random() < 0.2) return [{ expertId, from, to }];
  const other = others[pick(others.length)];
  if (other === undefined || other === expertId) return undefined;
  return [
    { expertId, from, to },
    { expertId: other, from: to, to: from },
  ];
}
