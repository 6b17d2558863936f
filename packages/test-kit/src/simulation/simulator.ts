import { seededRandom } from '@expertmesh/shared/random/seeded-random';
import { EventQueue } from './event-queue.js';

/** Time passes with every event: what is rounded never keeps it at one moment. */
const LEAST_DELAY_MS = 0.001;

/** A rule that must hold at every step was broken. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/**
 * Time and chance of a simulated cluster: events happen one after the other, each at its moment, and everything that
 * they set going (all promises that can be settled) ends before the next. The same seed gives the same run.
 */
export class Simulator {
  /** In [0, 1), from the seed. */
  readonly random: () => number;
  /** What happened, a line each; undefined where nobody reads it. */
  readonly transcript: string[] | undefined;
  readonly #queue = new EventQueue();
  #nowMs = 0;
  #numEvents = 0;
  #violation: Violation | undefined;

  constructor(seed: number, hasTranscript: boolean) {
    this.random = seededRandom(seed);
    this.transcript = hasTranscript ? [] : undefined;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  get numEvents(): number {
    return this.#numEvents;
  }

  /** Runs the event after the delay; the returned function takes it back. */
  after(delayMs: number, run: () => void): () => void {
    return this.#queue.add(this.#nowMs + Math.max(LEAST_DELAY_MS, delayMs), run);
  }

  between(least: number, most: number): number {
    return least + (most - least) * this.random();
  }

  /** @returns true with this probability. */
  chance(probability: number): boolean {
    return this.random() < probability;
  }

  pick<T>(choices: readonly T[]): T | undefined {
    return choices[Math.floor(this.random() * choices.length)];
  }

  note(who: string, what: string): void {
    this.transcript?.push(`${(this.#nowMs / 1000).toFixed(4).padStart(9)} ${who.padEnd(6)} ${what}`);
  }

  /** Ends the run; the first one counts. */
  violate(rule: string, detail: string): void {
    if (this.#violation !== undefined) return;
    this.#violation = new Violation(`${rule}: ${detail} (at ${(this.#nowMs / 1000).toFixed(3)} s)`);
    this.note('check', `VIOLATED ${this.#violation.message}`);
  }

  /**
   * Lets time pass.
   *
   * @param afterStep is called when all that an event set going has ended
   * @throws Violation
   */
  run(durationMs: number, afterStep: () => void): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    return new Promise((resolve, reject) => {
      const step = (): void => {
        try {
          if (this.#violation !== undefined) throw this.#violation;
          if (this.#happens(endMs)) whenSettled(afterEvent);
          else resolve();
        } catch (thrown) {
          reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
        }
      };
      const afterEvent = (): void => {
        afterStep();
        step();
      };
      whenSettled(step);
    });
  }

  /** @returns false when nothing more happens until then. */
  #happens(endMs: number): boolean {
    const event = this.#queue.next(endMs);
    this.#nowMs = event?.atMs ?? endMs;
    if (event === undefined) return false;
    this.#numEvents += 1;
    event.run();
    return true;
  }
}

/**
 * Calls back when no promise can be settled any more without another event. Node runs what process.nextTick was given
 * when the queue of microtasks is empty, without a turn of the event loop; a microtask has to give it, for what is
 * given from within nextTick itself would run at once.
 */
function whenSettled(callback: () => void): void {
  queueMicrotask(() => {
    process.nextTick(callback);
  });
}
