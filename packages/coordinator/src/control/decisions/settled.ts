import { includesShards, type Shards } from '../placement/shards.js';
import { type KnownWorker } from '../workers/known-workers.js';

export interface SettledFacts {
  readonly workers: readonly KnownWorker[];
  /** What calls are routed to it for. */
  readonly wanted: (workerId: string) => Shards;
  readonly hasRefused: (workerId: string) => boolean;
  readonly nowMs: number;
}

/** Workers that are started with their coordinator, or that it has not reached yet, are there within this time. */
const JOIN_MS = 10_000;
/** One whose disk hangs neither loads nor refuses; the others are not to wait for it. */
const LOAD_MS = 120_000;

/**
 * Why changes wait: a worker has not had the chance yet to hold what calls are routed to it for. It has when it holds
 * that, refused to, stays away, or takes long. Before that, a change would fail for want of replicas that are only
 * about to be there.
 */
export function whyUnsettled({ workers, wanted, hasRefused, nowMs }: SettledFacts): string | undefined {
  for (const { workerId, state, stateSinceMs, holds } of workers) {
    if (nowMs - stateSinceMs >= (state === 'up' ? LOAD_MS : JOIN_MS)) continue;
    if (state === 'up' && !hasRefused(workerId) && !includesShards(holds, wanted(workerId)))
      return `worker ${workerId} has not loaded yet what calls are routed to it for`;
    if (state === 'away' && wanted(workerId).length > 0) return `worker ${workerId} has not answered yet`;
  }
  return undefined;
}
