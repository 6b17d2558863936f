import { type LayerState, type ReplicaStep } from './layer-state.js';
import { type SearchBudget } from './search-budget.js';

/** Memory slots that are not in use, over all layers. */
export type FreeSlots = number[];

/** Where the wire or moving speaks against a change that relieves the slowest worker, so many others are tried. */
const MAX_TRIES = 64;

/**
 * Makes the slowest worker of a layer faster, by the change that leaves least to do for all whom it concerns, moving
 * included.
 *
 * @returns whether one was found
 */
export function relieveSlowest(state: LayerState, freeSlots: FreeSlots, budget: SearchBudget): boolean {
  if (budget.isSpent) return false;
  const changes = relievingChanges(state, freeSlots);
  return changes.some((steps) => budget.spend() && takeIfBetter(state, steps, freeSlots, true));
}

/** Takes the steps, which must be allowed, if they are better, and keeps account of the memory. */
export function takeIfBetter(
  state: LayerState,
  steps: readonly ReplicaStep[],
  freeSlots: FreeSlots,
  breakTies = false,
): boolean {
  if (!state.tryImprove(steps, breakTies)) return false;
  for (const { from, to } of steps) {
    if (from !== undefined) freeSlots[from] = (freeSlots[from] ?? 0) + 1;
    if (to !== undefined) freeSlots[to] = (freeSlots[to] ?? 0) - 1;
  }
  return true;
}

// The most relieving first.
function relievingChanges(state: LayerState, freeSlots: FreeSlots): ReplicaStep[][] {
  const { slowest } = state;
  const limit = state.secondsOf(slowest);
  const changes: { readonly steps: ReplicaStep[]; readonly seconds: number }[] = [];
  const consider = (steps: ReplicaStep[]): void => {
    const peakSeconds = state.peakSecondsAfter(steps);
    if (peakSeconds >= limit) return;
    const seconds = peakSeconds + state.moveSecondsOf(steps);
    if (seconds < limit && state.allows(steps)) changes.push({ steps, seconds });
  };
  for (const expertId of state.membersOf(slowest)) considerLeaving(state, expertId, freeSlots, consider);
  changes.sort((a, b) => a.seconds - b.seconds);
  return changes.slice(0, MAX_TRIES).map(({ steps }) => steps);
}

type Consider = (steps: ReplicaStep[]) => void;

function considerLeaving(state: LayerState, expertId: number, freeSlots: FreeSlots, consider: Consider): void {
  const { slowest, problem } = state;
  const isRedundant = (e: number): boolean => state.holdersOf(e).length > problem.minDomains;
  const isHere = (e: number): boolean => state.holdersOf(e).includes(slowest);

  for (const [v, { acceptsReplicas }] of problem.workers.entries()) {
    if (!acceptsReplicas || state.holdersOf(expertId).includes(v)) continue;
    if ((freeSlots[v] ?? 0) > 0) consider([{ expertId, from: slowest, to: v }]);
    for (const other of state.membersOf(v)) {
      if (!isHere(other))
        consider([
          { expertId, from: slowest, to: v },
          { expertId: other, from: v, to: slowest },
        ]);
      // The other makes way for a further replica, which takes a share of the load.
      if (isRedundant(other))
        consider([
          { expertId: other, from: v },
          { expertId, to: v },
        ]);
    }
  }
  if (!isRedundant(expertId)) return;
  for (let other = 0; other < problem.numExperts; other++)
    if (!isHere(other))
      consider([
        { expertId, from: slowest },
        { expertId: other, to: slowest },
      ]);
}
