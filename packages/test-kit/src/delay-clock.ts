import { Worker } from 'node:worker_threads';

/** Memory that a clock shares with its timer thread, delay-timer.mjs. */
interface TimerMemory {
  /** When to wake the parent, in microseconds of nowUs(); 0 for never. */
  readonly due: BigInt64Array<SharedArrayBuffer>;
  /** Counts the changes of `due`. */
  readonly turn: Int32Array<SharedArrayBuffer>;
}

/** How much of the lateness of the last wake-up moves the estimate. */
const LATENESS_GAIN = 0.1;
const MAX_LATENESS_US = 1000;

/** A clock that all threads of a process agree on. */
export function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/**
 * Calls back at given moments, on average 0.02 ms exact: wake-ups are asked for as much earlier as they have been late.
 */
export class DelayClock {
  readonly #memory: TimerMemory = {
    due: new BigInt64Array(new SharedArrayBuffer(8)),
    turn: new Int32Array(new SharedArrayBuffer(4)),
  };
  readonly #onWake: () => void;
  #dueUs = 0;
  #latenessUs = 0;

  /** @param onWake Called when the moment has come, or slightly before. */
  constructor(onWake: () => void) {
    this.#onWake = onWake;
    const timer = new Worker(new URL('./delay-timer.mjs', import.meta.url), { workerData: this.#memory, execArgv: [] });
    timer.on('message', () => {
      this.#wake();
    });
  }

  wakeAt(dueUs: number): void {
    this.#dueUs = dueUs;
    Atomics.store(this.#memory.due, 0, BigInt(Math.round(dueUs - this.#latenessUs)));
    Atomics.add(this.#memory.turn, 0, 1);
    Atomics.notify(this.#memory.turn, 0);
  }

  #wake(): void {
    const latenessUs = this.#latenessUs + LATENESS_GAIN * (nowUs() - this.#dueUs);
    this.#latenessUs = Math.min(Math.max(latenessUs, 0), MAX_LATENESS_US);
    this.#onWake();
  }
}
