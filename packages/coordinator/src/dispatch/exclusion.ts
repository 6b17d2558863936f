import { type FailedReplicas } from './failover.js';
import { type IsExcluded, type ReplicaRouter } from './replica-router.js';
import { type DispatchPart } from './route-plan.js';
import { type WorkerLinks } from './worker-links.js';
import { Reluctance, type WorkerStanding } from './worker-standing.js';
import { WrongAnswerError } from './wrong-answer-error.js';

/** What is known of the workers when a layer's pairs are routed. */
export interface KnownOfWorkers {
  readonly links: Pick<WorkerLinks, 'isConnected'>;
  readonly standing: Pick<WorkerStanding, 'reluctance'>;
  readonly failed: FailedReplicas;
  /** The worker in whose place others are asked. */
  readonly lateId: string | undefined;
}

/**
 * Who is left out: those that drift, and of the others that can compute an expert those that are asked less readily
 * than another one. In place of a worker that is late, neither it nor others that are silent are asked.
 */
export function exclusion(router: ReplicaRouter, layerIndex: number, known: KnownOfWorkers): IsExcluded {
  const { links, standing, failed, lateId } = known;
  const { workerIds } = router.placement;
  const reluctances = workerIds.map((workerId) => standing.reluctance(workerId));
  const reluctanceOf = (workerIndex: number): number => reluctances[workerIndex] ?? Reluctance.none;
  const isNoHelp = workerIds.map(
    (workerId, index) =>
      !links.isConnected(workerId) ||
      reluctanceOf(index) === Reluctance.drifts ||
      (lateId !== undefined && (workerId === lateId || reluctanceOf(index) > Reluctance.quarantined)),
  );
  const isOut: IsExcluded = (workerIndex, expertId) =>
    isNoHelp[workerIndex] === true || failed.has(workerIds[workerIndex] ?? '', expertId);
  if (reluctances.every((reluctance) => reluctance === Reluctance.none)) return isOut;
  const hasBetter = (workerIndex: number, expertId: number): boolean =>
    router
      .replicasOf(layerIndex, expertId)
      .some((other) => reluctanceOf(other) < reluctanceOf(workerIndex) && !isOut(other, expertId));
  return (workerIndex, expertId) =>
    isOut(workerIndex, expertId) || (reluctanceOf(workerIndex) > Reluctance.none && hasBetter(workerIndex, expertId));
}

/** Why a part's worker cannot be asked at all; undefined where it can: its wrong answers look like right ones. */
export function driftOf(
  standing: WorkerStanding,
  workerId: string,
  layerIndex: number,
  { expertIds }: DispatchPart,
): WrongAnswerError | undefined {
  if (standing.reluctance(workerId) !== Reluctance.drifts) return undefined;
  const because = standing.quarantine.list().find((one) => one.workerId === workerId)?.because ?? '';
  return new WrongAnswerError(
    'drift',
    `expert ${String(expertIds[0])} of layer ${String(layerIndex)} is on no worker that can be believed: worker ` +
      `${workerId} drifts (${because}); check that machine's memory and start the worker again`,
  );
}
