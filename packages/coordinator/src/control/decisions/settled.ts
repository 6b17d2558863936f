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

/**
 * Whether every worker has had the chance to hold what calls are routed to it for: it does, it refused to, or it stays away. Before that, a change
 * would fail for want of replicas that are only about to be there.
 */
export const hasSettled = ({ workers, wanted, hasRefused, nowMs }: SettledFacts): boolean =>
  workers.every(({ workerId, state, stateSinceMs, holds }) =>
    state === 'up'
      ? hasRefused(workerId) || includesShards(holds, wanted(workerId))
      : wanted(workerId).length === 0 || nowMs - stateSinceMs >= JOIN_MS,
  );
