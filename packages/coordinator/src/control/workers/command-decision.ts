import { MAX_EPOCH_JUMP } from '@expertmesh/shared/limits/limits';
import { isSameShards, type Shards } from '../placement/shards.js';
import { type KnownWorker } from './known-workers.js';

/** What a leader tells a worker so that it holds what it should. */
export type WorkerCommand =
  { readonly kind: 'none' } | { readonly kind: 'hold'; readonly shards: Shards } | { readonly kind: 'unload' };

/**
 * A worker that holds what it should is commanded all the same when a former leader commanded it last: from then on it
 * refuses that one's late commands. It refuses this leader's likewise once it was commanded under a higher epoch; see
 * epochToExceed.
 */
export function decideCommand(worker: KnownWorker, wanted: Shards, epoch: number): WorkerCommand {
  if (worker.state === 'away' || worker.stats === undefined) return { kind: 'none' };
  const { epoch: lastEpoch } = worker.stats;
  if (lastEpoch > epoch || (lastEpoch === epoch && isSameShards(worker.holds, wanted))) return { kind: 'none' };
  if (wanted.length > 0) return { kind: 'hold', shards: wanted };
  return { kind: 'unload' };
}

/**
 * The highest epoch of workers that do not hold what they should, which is what a leader's own must be above. What the
 * others have seen does not matter: coordinators with a control plane of their own each would outbid each other for
 * nothing.
 *
 * @param ownEpoch the highest that this process knows otherwise; a worker that says one which no election can have
 *   given after it is not followed
 */
export function epochToExceed(
  workers: readonly KnownWorker[],
  ownEpoch: number,
  wanted: (workerId: string) => Shards | undefined,
): number {
  return Math.max(
    0,
    ...workers.map(({ workerId, stats, holds, state }) => {
      const shards = wanted(workerId);
      const isHeeded = state !== 'away' && shards !== undefined && !isSameShards(holds, shards);
      const epoch = stats?.epoch ?? 0;
      return isHeeded && epoch <= ownEpoch + MAX_EPOCH_JUMP ? epoch : 0;
    }),
  );
}
