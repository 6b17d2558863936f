import { type BenchContext } from '../harness/bench-context.js';

/** Rounds of different phases are different rounds: what is compared round by round was measured side by side. */
const ROUNDS_PER_PHASE = 1000;

/** One measure, and how a reader of the progress sees it. */
export interface Step {
  readonly title: string;
  readonly run: (round: number) => Promise<void> | void;
  /** For what takes long in a quick run. */
  readonly isOnce?: boolean;
}

/**
 * Runs all steps in every round. What comes first stays first, as the limits of the machine belong before everything
 * else; the others are run forwards and backwards in turns, so that none always has the same one before it.
 */
export async function runRounds(
  { options, say }: BenchContext,
  phaseIndex: number,
  steps: readonly Step[],
): Promise<void> {
  const { numRounds } = options;
  for (let index = 0; index < numRounds; index++) {
    const [first, ...others] = steps.filter(({ isOnce = false }) => !isOnce || index === 0);
    const ordered = index % 2 === 0 ? others : others.reverse();
    for (const step of first === undefined ? ordered : [first, ...ordered]) {
      const startMs = performance.now();
      await step.run(phaseIndex * ROUNDS_PER_PHASE + index);
      const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
      say(`round ${String(index + 1)} of ${String(numRounds)}: ${step.title} (${seconds} s)`);
    }
  }
}

export function sequences(count: number): string {
  return count === 1 ? '1 sequence' : `${String(count)} sequences`;
}
