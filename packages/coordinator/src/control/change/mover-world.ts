import { ExpertmeshError, type ErrorCode } from '@expertmesh/shared/errors/expertmesh-error';
import { LOCAL_MEMBER } from '@expertmesh/shared/placement/placement';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type ClusterCore } from '../cluster-core.js';
import { includesShards, isSameShards } from '../placement/shards.js';
import { type KnownWorkers } from '../workers/known-workers.js';
import { type MoverWorld } from './mover.js';

/** Refusals that trying again does not mend. */
const FINAL: readonly ErrorCode[] = [
  'resource_exhausted',
  'invalid_argument',
  'not_found',
  'data_loss',
  'unimplemented',
];

/** A worker that is away for longer while it is to load is not waited for: it may have died. */
const AWAY_LIMIT_MS = 5_000;

/** The cluster as a mover sees it. */
export function moverWorld(
  core: Pick<ClusterCore, 'setExtra' | 'refusal' | 'hasObeyed' | 'wanted' | 'isApplied' | 'probe'> & {
    readonly membership: { readonly known: Pick<KnownWorkers, 'get'> };
  },
  clock: Clock,
): Omit<MoverWorld, 'writeInForce' | 'writeRemainder'> {
  const { known } = core.membership;
  return {
    setExtra: (extra) => {
      core.setExtra(extra);
    },
    holdsAll: (workerId) => {
      // What the coordinator computes itself was loaded with the model, and no change gives it anything else.
      if (workerId === LOCAL_MEMBER) return true;
      const refusal = core.refusal(workerId);
      if (refusal !== undefined && FINAL.includes(refusal.code))
        throw new ExpertmeshError(refusal.code, `worker ${workerId}: ${refusal.message}`, { cause: refusal });
      const worker = known.get(workerId);
      if (worker === undefined || (worker.state === 'away' && clock.nowMs() - worker.stateSinceMs > AWAY_LIMIT_MS))
        throw new ExpertmeshError(
          'unavailable',
          `worker ${workerId} is to load experts and is away: ${worker?.reason ?? 'it is no member any more'}`,
        );
      // A command from before may be about to drop what the worker is to hold now.
      return core.hasObeyed(workerId) && includesShards(worker.holds, core.wanted(workerId) ?? []);
    },
    holdsOnly: (workerId) => {
      const worker = known.get(workerId);
      return worker?.state !== 'up' || isSameShards(worker.holds, core.wanted(workerId) ?? []);
    },
    isUp: (workerId) => workerId === LOCAL_MEMBER || known.get(workerId)?.state === 'up',
    probe: core.probe,
    isApplied: (step) => core.isApplied(step),
  };
}
