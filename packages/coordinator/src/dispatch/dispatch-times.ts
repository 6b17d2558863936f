import { type PartOutcome } from './combine.js';
import { type DispatchTimes } from './expert-dispatcher.js';

/** When a dispatch began, had sent all calls, had all answers, and had added them up. */
export interface DispatchMoments {
  readonly startMs: number;
  readonly sentMs: number;
  readonly answeredMs: number;
  readonly endMs: number;
}

/**
 * Divides the time between the last call sent and the last answer into what some worker computed in, what a call waited
 * in at a worker while none computed, and the rest, the wire. Clocks of other boxes tell nothing here, so each worker's
 * own time is taken to end with the arrival of its answer: the way back moves all of them by about as much, which
 * leaves what they cover together as long as it is.
 */
export function dispatchTimes(moments: DispatchMoments, outcomes: readonly PartOutcome[]): DispatchTimes {
  const { startMs, sentMs, answeredMs, endMs } = moments;
  const computing: Interval[] = [];
  const computingOrWaiting: Interval[] = [];
  for (const outcome of outcomes) {
    if (outcome.kind === 'failed') continue;
    const { answer, answeredMs: arrivedMs } = outcome;
    const computeStartMs = arrivedMs - answer.computeUs / 1000;
    computing.push({ startMs: computeStartMs, endMs: arrivedMs });
    computingOrWaiting.push({ startMs: computeStartMs - answer.queueUs / 1000, endMs: arrivedMs });
  }
  const computeMs = coveredMs(computing, sentMs);
  const ownMs = coveredMs(computingOrWaiting, sentMs);
  return {
    serialiseUs: (sentMs - startMs) * 1000,
    wireUs: (answeredMs - sentMs - ownMs) * 1000,
    waitUs: (ownMs - computeMs) * 1000,
    computeUs: computeMs * 1000,
    combineUs: (endMs - answeredMs) * 1000,
  };
}

interface Interval {
  readonly startMs: number;
  readonly endMs: number;
}

/** How long at least one of the intervals lasts, from `fromMs` on. */
function coveredMs(intervals: Interval[], fromMs: number): number {
  let covered = 0;
  let coveredToMs = fromMs;
  for (const { startMs, endMs } of intervals.sort((a, b) => a.startMs - b.startMs)) {
    covered += Math.max(0, endMs - Math.max(startMs, coveredToMs));
    coveredToMs = Math.max(coveredToMs, endMs);
  }
  return covered;
}
