/** What to do after a process has ended that should run on. */
export type RestartDecision =
  | { readonly kind: 'restart'; readonly delayMs: number; readonly numQuickFailures: number }
  | { readonly kind: 'give-up' };

/** A process that lived shorter than this has failed quickly. */
const QUICK_FAILURE_MS = 10_000;
/** Quick failures in a row after which restarting again would only repeat them. */
const MAX_QUICK_FAILURES = 5;
const FIRST_DELAY_MS = 250;

/**
 * Restarts with a delay that doubles with every quick failure in a row; a process that had run for a while starts anew.
 *
 * @param numQuickFailures quick failures in a row before this one.
 */
export function decideRestart(numQuickFailures: number, ranMs: number): RestartDecision {
  const failures = ranMs < QUICK_FAILURE_MS ? numQuickFailures + 1 : 0;
  if (failures >= MAX_QUICK_FAILURES) return { kind: 'give-up' };
  return { kind: 'restart', delayMs: FIRST_DELAY_MS * 2 ** failures, numQuickFailures: failures };
}
