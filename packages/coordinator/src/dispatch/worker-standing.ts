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

  isAvoided(workerId: string): boolean {
    return this.quarantine.has(workerId) || this.hedges.isSilent(workerId);
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
