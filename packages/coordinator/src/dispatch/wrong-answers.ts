import { CountsByWorker } from './counts-by-worker.js';
import { type WrongAnswerKind } from './wrong-answer-error.js';

/** A worker with a bad wire answers wrongly many times a second; one line of it a second says as much. */
const REPORT_INTERVAL_MS = 1_000;

/** A wrong answer, with how many of the same worker came before it that were not reported. */
export interface WrongAnswerReport {
  readonly workerId: string;
  readonly kind: WrongAnswerKind;
  readonly what: string;
  readonly numUnreported: number;
}

export interface WrongAnswerCount {
  readonly workerId: string;
  readonly kind: WrongAnswerKind;
  readonly numAnswers: number;
}

/** Counts wrong answers by worker and kind since the start, and reports some of them. */
export class WrongAnswers {
  readonly #nowMs: () => number;
  readonly #report: (report: WrongAnswerReport) => void;
  readonly #counts = new CountsByWorker<WrongAnswerKind>();
  readonly #lastReports = new Map<string, { readonly atMs: number; numUnreported: number }>();

  constructor(nowMs: () => number, report: (report: WrongAnswerReport) => void = () => undefined) {
    this.#nowMs = nowMs;
    this.#report = report;
  }

  add(workerId: string, kind: WrongAnswerKind, what: string): void {
    this.#counts.add(workerId, kind);
    const last = this.#lastReports.get(workerId);
    if (last !== undefined && this.#nowMs() - last.atMs < REPORT_INTERVAL_MS) {
      last.numUnreported += 1;
      return;
    }
    this.#lastReports.set(workerId, { atMs: this.#nowMs(), numUnreported: 0 });
    this.#report({ workerId, kind, what, numUnreported: last?.numUnreported ?? 0 });
  }

  /** It is no member any more. */
  forget(workerId: string): void {
    this.#counts.forget(workerId);
    this.#lastReports.delete(workerId);
  }

  read(): WrongAnswerCount[] {
    return this.#counts.read().map(({ workerId, kind, count }) => ({ workerId, kind, numAnswers: count }));
  }
}
