import { type Clock } from '@expertmesh/shared/rpc/clock';

/** A clock for tests: time stands still until `advance`. */
export class DrivenClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ readonly dueMs: number; readonly callback: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Runs what falls due within the next `ms`, in order, also what is set meanwhile. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (let timer = this.#next(endMs); timer !== undefined; timer = this.#next(endMs)) {
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      this.#timers.delete(timer);
      timer.callback();
    }
    this.#nowMs = endMs;
  }

  /** Time passes and nothing runs, as while the thread computes; what fell due runs at the next `advance`. */
  block(ms: number): void {
    this.#nowMs += ms;
  }

  get numTimers(): number {
    return this.#timers.size;
  }

  /** Time until the next timer, Infinity without one. */
  get nextInMs(): number {
    return (this.#next(Infinity)?.dueMs ?? Infinity) - this.#nowMs;
  }

  #next(endMs: number) {
    return [...this.#timers].filter(({ dueMs }) => dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)[0];
  }
}
