import { ExpertmeshError, type ErrorCode } from '@expertmesh/shared/errors/expertmesh-error';
import { LOCAL_MEMBER } from '@expertmesh/shared/placement/placement';
import { type ClusterCore } from '../cluster-core.js';
import { includesShards, isSameShards } from '../placement/shards.js';
import { type MoverWorld } from './mover.js';

/** Refusals that trying again does not mend. */
const FINAL: readonly ErrorCode[] = [
  'resource_exhausted',
  'invalid_argument',
  'not_found',
  'data_loss',
  'unimplemented',
];

/** The cluster as a mover sees it. */
export function moverWorld(core: ClusterCore): Omit<MoverWorld, 'writeInForce' | 'writeRemainder'> {
  const { known } = core.membership;
  return {
    setExtra: (extra) => {
      core.setExtra(extra);
    },
    holdsAll: (workerId) => {
      const refusal = core.refusal(workerId);
      if (refusal !== undefined && FINAL.includes(refusal.code))
        throw new ExpertmeshError(refusal.code, `worker ${workerId}: ${refusal.message}`, { cause: refusal });
      return includesShards(known.get(workerId)?.holds ?? [], core.wanted(workerId) ?? []);
    },
    holdsOnly: (workerId) => {
      const worker = known.get(workerId);
      return worker?.state !== 'up' || isSameShards(worker.holds, core.wanted(workerId) ?? []);
    },
    isUp: (workerId) => workerId === LOCAL_MEMBER || known.get(workerId)?.state === 'up',
    probe: core.routing.probe,
    isApplied: (step) => core.coordinators?.isApplied(step) ?? true,
  };
}
