import { type ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ExpertsNotHeldError } from '@expertmesh/shared/errors/experts-not-held-error';
import { CountsByWorker } from './counts-by-worker.js';
import { WrongAnswerError } from './wrong-answer-error.js';

/** How often a pair is sent, the first time included. */
export const MAX_ATTEMPTS = 3;

/** How long a pair whose worker does not hold the expert, and that no other has, waits for a newer placement. */
export const NEWER_PLACEMENT_WAIT_MS = 2_000;

/**
 * How often a worker is asked again for what it has answered wrongly: once where others can be asked then, and oftener
 * where none can.
 */
export const MAX_ASKED_AGAIN = { withOthers: 1, alone: 5 } as const;

export type FailoverReason = 'unavailable' | 'deadline_exceeded' | 'not_held' | 'wrong_answer' | 'out_of_range';

/**
 * Why a call that failed may be computed by another replica; undefined where it may not: a call that is wrong stays
 * wrong.
 */
export function failoverReason(error: ExpertmeshError): FailoverReason | undefined {
  if (error instanceof ExpertsNotHeldError) return 'not_held';
  if (error instanceof WrongAnswerError) return 'wrong_answer';
  const { code } = error;
  return code === 'unavailable' || code === 'deadline_exceeded' || code === 'out_of_range' ? code : undefined;
}

/** What one dispatch has learned about who cannot compute what, whatever placements it was routed by. */
export class FailedReplicas {
  readonly #workers = new Set<string>();
  readonly #missing = new Map<string, Set<number>>();

  add(workerId: string, error: ExpertmeshError): void {
    if (!(error instanceof ExpertsNotHeldError)) {
      this.#workers.add(workerId);
      return;
    }
    const missing = this.#missing.get(workerId) ?? new Set<number>();
    for (const expertId of error.missingExpertIds) missing.add(expertId);
    this.#missing.set(workerId, missing);
  }

  has(workerId: string, expertId: number): boolean {
    return this.#workers.has(workerId) || this.#missing.get(workerId)?.has(expertId) === true;
  }

  /** Workers that are away are left out anyway: when they are there again, they may be another process. */
  forgetAway(links: { isConnected(workerId: string): boolean }): void {
    for (const workerId of this.#workers) if (!links.isConnected(workerId)) this.#workers.delete(workerId);
    this.forgetMissing();
  }

  /** Workers may hold by now what they did not. */
  forgetMissing(): void {
    this.#missing.clear();
  }
}

/** Failovers by worker and reason since the start. */
export class FailoverCounts {
  readonly #counts = new CountsByWorker<FailoverReason>();

  add(workerId: string, reason: FailoverReason): void {
    this.#counts.add(workerId, reason);
  }

  forget(workerId: string): void {
    this.#counts.forget(workerId);
  }

  read(): WorkerFailovers[] {
    return this.#counts.read().map(({ workerId, kind, count }) => ({ workerId, reason: kind, numFailovers: count }));
  }
}

/**
 * Calls to a worker that failed for this reason and went, at least in part, to another replica or once more to this
 * one.
 */
export interface WorkerFailovers {
  readonly workerId: string;
  readonly reason: FailoverReason;
  readonly numFailovers: number;
}
