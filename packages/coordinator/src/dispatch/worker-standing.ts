import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type LinkObserver } from './expert-link.js';
import { Hedges } from './hedges.js';
import { Quarantine, type QuarantineListener } from './quarantine.js';
import { type WrongAnswerKind } from './wrong-answer-error.js';
import { type WrongAnswerReport, WrongAnswers } from './wrong-answers.js';

export interface WorkerStandingOptions {
  readonly clock: Clock;
  readonly hedging: boolean;
  readonly onQuarantine?: QuarantineListener | undefined;
  readonly onWrongAnswer?: ((report: WrongAnswerReport) => void) | undefined;
}

/**
 * How unwilling one is to ask a worker: of the replicas of an expert, the ones of the lowest are asked. In quarantine
 * each answer is still checked, so a wrong one costs time only; a silent worker costs all the time that there is; what
 * a drifting one says no check of the answer can tell from what is right, so it is not asked at all.
 */
export const Reluctance = { none: 0, quarantined: 1, silent: 2, drifts: 3 } as const;

/** What calls have shown of each worker, and so who is not to be asked where another can be. */
export class WorkerStanding implements LinkObserver {
  readonly hedges: Hedges;
  readonly quarantine: Quarantine;
  readonly wrongAnswers: WrongAnswers;

  constructor({ clock, hedging, onQuarantine, onWrongAnswer }: WorkerStandingOptions) {
    const nowMs = (): number => clock.nowMs();
    this.hedges = new Hedges(clock, hedging);
    this.quarantine = new Quarantine(nowMs, onQuarantine);
    this.wrongAnswers = new WrongAnswers(nowMs, onWrongAnswer);
  }

  /** One of Reluctance. */
  reluctance(workerId: string): number {
    if (this.quarantine.isDrifting(workerId)) return Reluctance.drifts;
    if (this.hedges.isSilent(workerId)) return Reluctance.silent;
    return this.quarantine.has(workerId) ? Reluctance.quarantined : Reluctance.none;
  }

  heard(workerId: string): void {
    this.hedges.noteHeard(workerId);
  }

  answered(workerId: string, numPairs: number, ms: number): void {
    this.hedges.times.add(workerId, numPairs, ms);
  }

  wrong(workerId: string, kind: WrongAnswerKind, what: string): void {
    this.wrongAnswers.add(workerId, kind, what);
    this.quarantine.noteWrong(workerId, kind, what);
  }

  forget(workerId: string): void {
    this.hedges.forget(workerId);
    this.quarantine.forget(workerId);
    this.wrongAnswers.forget(workerId);
  }
}
