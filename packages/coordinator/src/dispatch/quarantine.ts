import { type WrongAnswerKind } from './wrong-answer-error.js';

/** So many wrong answers within this time, and a worker is asked no more while others have its experts. */
const MAX_WRONG_ANSWERS = 3;
const WRONG_ANSWERS_WINDOW_MS = 60_000;
/** From the quarantine to its first exam; doubled by every exam that is failed. */
const FIRST_EXAM_MS = 1_000;
const MAX_EXAM_DELAY_MS = 60_000;

/** Told when a worker's quarantine begins, and when it ends (`because` is undefined). */
export type QuarantineListener = (workerId: string, because: string | undefined) => void;

export interface QuarantinedWorker {
  readonly workerId: string;
  readonly because: string;
}

interface Record {
  /** When answers were wrong, within the window, and outside of quarantine. */
  wrongAtMs: number[];
  /** When it last came out of quarantine, -Infinity if never: a wrong answer within the window after puts it back. */
  releasedAtMs: number;
  because: string | undefined;
  /** Within this quarantine: its answers may be wrong without that any check of them shows it. */
  hasDrifted: boolean;
  examDelayMs: number;
  examDueMs: number;
}

/**
 * Which workers have answered wrongly so often that they are not to be asked where others can be. A worker comes out by
 * an exam, canary rows that it computes rightly; each failed one doubles the time to the next.
 */
export class Quarantine {
  readonly #nowMs: () => number;
  readonly #onChange: QuarantineListener;
  readonly #records = new Map<string, Record>();

  constructor(nowMs: () => number, onChange: QuarantineListener = () => undefined) {
    this.#nowMs = nowMs;
    this.#onChange = onChange;
  }

  has(workerId: string): boolean {
    return this.#records.get(workerId)?.because !== undefined;
  }

  /** It is in quarantine, and for what it computes, not for what came of its answers on their way. */
  isDrifting(workerId: string): boolean {
    return this.#records.get(workerId)?.hasDrifted === true;
  }

  /** A worker that drifts computes wrongly without knowing it, so one such answer is enough. */
  noteWrong(workerId: string, kind: WrongAnswerKind, what: string): void {
    const nowMs = this.#nowMs();
    const record = this.#record(workerId);
    record.hasDrifted ||= kind === 'drift';
    if (record.because !== undefined) return;
    record.wrongAtMs = [...record.wrongAtMs, nowMs].filter((atMs) => nowMs - atMs <= WRONG_ANSWERS_WINDOW_MS);
    const isOnProbation = nowMs - record.releasedAtMs <= WRONG_ANSWERS_WINDOW_MS;
    if (kind !== 'drift' && !isOnProbation && record.wrongAtMs.length < MAX_WRONG_ANSWERS) return;
    if (!isOnProbation) record.examDelayMs = FIRST_EXAM_MS;
    const numWrong = record.wrongAtMs.length;
    record.because = `${String(numWrong)} wrong answer${numWrong === 1 ? '' : 's'} within a minute, the last: ${what}`;
    record.examDueMs = nowMs + record.examDelayMs;
    this.#onChange(workerId, record.because);
  }

  /** Those whose exam is due. */
  examinees(): string[] {
    const nowMs = this.#nowMs();
    return [...this.#records]
      .filter(([, { because, examDueMs }]) => because !== undefined && examDueMs <= nowMs)
      .map(([workerId]) => workerId);
  }

  examined(workerId: string, hasPassed: boolean): void {
    const record = this.#records.get(workerId);
    if (record?.because === undefined) return;
    const nowMs = this.#nowMs();
    record.examDelayMs = Math.min(2 * record.examDelayMs, MAX_EXAM_DELAY_MS);
    record.examDueMs = nowMs + record.examDelayMs;
    if (!hasPassed) return;
    record.because = undefined;
    record.hasDrifted = false;
    record.releasedAtMs = nowMs;
    record.wrongAtMs = [];
    this.#onChange(workerId, undefined);
  }

  /** It could not be held; the next one comes no later for that. */
  postponeExam(workerId: string): void {
    const record = this.#records.get(workerId);
    if (record !== undefined) record.examDueMs = this.#nowMs() + record.examDelayMs;
  }

  /** It is no member any more. */
  forget(workerId: string): void {
    this.#records.delete(workerId);
  }

  list(): QuarantinedWorker[] {
    return [...this.#records].flatMap(([workerId, { because }]) =>
      because === undefined ? [] : [{ workerId, because }],
    );
  }

  #record(workerId: string): Record {
    const known = this.#records.get(workerId);
    if (known !== undefined) return known;
    const record: Record = {
      wrongAtMs: [],
      releasedAtMs: -Infinity,
      because: undefined,
      hasDrifted: false,
      examDelayMs: FIRST_EXAM_MS,
      examDueMs: Infinity,
    };
    this.#records.set(workerId, record);
    return record;
  }
}
