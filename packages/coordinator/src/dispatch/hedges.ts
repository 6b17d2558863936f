import { type Clock } from '@expertmesh/shared/rpc/clock';
import { AnswerTimes } from './answer-times.js';

/** A call is late that takes longer than so often its worker's own 99th percentile, and than this. */
const LATE_FACTOR = 3;
const MIN_LATE_MS = 20;
/** Of all calls, the share that may be sent twice, and how many may be so at once after quiet times. */
const MAX_HEDGED_SHARE = 0.05;
const MAX_HEDGES_AT_ONCE = 16;
/** Calls beyond the share are sent twice all the same after so many times longer, and after this: that few ever are. */
const OVERDUE_FACTOR = 3;
const MIN_OVERDUE_MS = 200;
/**
 * A timer that comes this late says that this thread was busy: the answer may lie unread in the socket, for timers run
 * before sockets are read.
 */
const BUSY_THREAD_MS = 5;

export interface WorkerHedges {
  readonly workerId: string;
  /** Calls to it that were sent to another replica as well, as they were late. */
  readonly numHedges: number;
  /** Of those, the ones that the other replica answered first. */
  readonly numWon: number;
}

/**
 * Decides when a call is so late that another replica is asked as well, and which workers are silent: they have let
 * such a call, or a deadline, pass and have said nothing since.
 */
export class Hedges {
  readonly times = new AnswerTimes();
  readonly #clock: Clock;
  readonly #isOn: boolean;
  readonly #silent = new Set<string>();
  readonly #counts = new Map<string, { numHedges: number; numWon: number }>();
  #budget = MAX_HEDGES_AT_ONCE;

  constructor(clock: Clock, isOn: boolean) {
    this.#clock = clock;
    this.#isOn = isOn;
  }

  /**
   * Calls back, once, when the call is late and may be sent twice, or overdue. A call that has no history to be late by
   * waits alone.
   *
   * @returns to be called when the call has ended
   */
  whenLate(workerId: string, numPairs: number, onLate: () => void): () => void {
    this.#budget = Math.min(MAX_HEDGES_AT_ONCE, this.#budget + MAX_HEDGED_SHARE);
    const p99Ms = this.#isOn ? this.times.p99Ms(workerId, numPairs) : undefined;
    if (p99Ms === undefined) return () => undefined;
    const lateMs = Math.max(MIN_LATE_MS, LATE_FACTOR * p99Ms);
    const dueMs = this.#clock.nowMs() + lateMs;
    let cancel = (): void => undefined;
    const hedge = (): void => {
      this.#budget = Math.max(0, this.#budget - 1);
      this.#count(workerId).numHedges += 1;
      onLate();
    };
    const fire = (): void => {
      if (this.#budget >= 1) hedge();
      else cancel = this.#clock.after(Math.max(MIN_OVERDUE_MS, OVERDUE_FACTOR * lateMs) - lateMs, hedge);
    };
    cancel = this.#clock.after(lateMs, () => {
      if (this.#clock.nowMs() - dueMs > BUSY_THREAD_MS) cancel = this.#clock.after(MIN_LATE_MS, fire);
      else fire();
    });
    return () => {
      cancel();
    };
  }

  /** The other replica has answered first. */
  won(workerId: string): void {
    this.#count(workerId).numWon += 1;
  }

  noteSilent(workerId: string): void {
    this.#silent.add(workerId);
  }

  /** It has said something, or is another process. */
  noteHeard(workerId: string): void {
    this.#silent.delete(workerId);
  }

  isSilent(workerId: string): boolean {
    return this.#silent.has(workerId);
  }

  forget(workerId: string): void {
    this.times.forget(workerId);
    this.#silent.delete(workerId);
    this.#counts.delete(workerId);
  }

  read(): WorkerHedges[] {
    return [...this.#counts].map(([workerId, counts]) => ({ workerId, ...counts }));
  }

  #count(workerId: string): { numHedges: number; numWon: number } {
    const known = this.#counts.get(workerId);
    if (known !== undefined) return known;
    const counts = { numHedges: 0, numWon: 0 };
    this.#counts.set(workerId, counts);
    return counts;
  }
}
