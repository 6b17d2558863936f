import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type Simulator } from './simulator.js';

/** Whoever stands still for no longer is waited for. */
export const SHORT_PAUSE_MS = 3_000;

/** A process that may stand still, end without a word, and come back as another run of the same program. */
export class SimulatedProcess {
  readonly id: string;
  readonly #sim: Simulator;
  #numRuns = 0;
  #bootId: string;
  #clock: (Clock & { readonly bootId: string }) | undefined;
  #isRunning = false;
  #pausedUntilMs = 0;
  #clockAheadMs: number;
  #troubledMs = 0;

  constructor(sim: Simulator, id: string) {
    this.id = id;
    this.#bootId = `${id}#0`;
    this.#sim = sim;
    // Monotonic clocks of different boxes have nothing to do with each other.
    this.#clockAheadMs = Math.round(sim.between(0, 1e6));
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  get isPaused(): boolean {
    return this.#sim.nowMs < this.#pausedUntilMs;
  }

  /** Another one with every start. */
  get bootId(): string {
    return this.#bootId;
  }

  /** When something was last done to it that it may need time to recover from. */
  get troubledMs(): number {
    return this.#troubledMs;
  }

  start(): void {
    this.#numRuns += 1;
    this.#bootId = `${this.id}#${String(this.#numRuns)}`;
    this.#isRunning = true;
    this.#pausedUntilMs = 0;
    this.trouble();
    this.#sim.note(this.id, `starts as ${this.bootId}`);
  }

  /** Nothing of it happens any more. */
  crash(): void {
    this.#isRunning = false;
    this.trouble();
    this.#sim.note(this.id, 'crashes');
  }

  /** As SIGSTOP and SIGCONT: what reaches it meanwhile, timers and messages, happens afterwards. */
  pause(durationMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#sim.nowMs + durationMs);
    if (durationMs > SHORT_PAUSE_MS) this.#troubledMs = Math.max(this.#troubledMs, this.#pausedUntilMs);
    this.#sim.note(this.id, `stands still for ${durationMs.toFixed(0)} ms`);
  }

  /** As a machine that was suspended: its time is later now, and timers come late. */
  jumpClock(byMs: number): void {
    this.#clockAheadMs += byMs;
    this.trouble();
    this.#sim.note(this.id, `its clock jumps by ${byMs.toFixed(0)} ms`);
  }

  trouble(): void {
    this.#troubledMs = Math.max(this.#troubledMs, this.#sim.nowMs);
  }

  /** Of the run that is under way: its timers end with it. */
  clock(): Clock {
    if (this.#clock?.bootId === this.bootId) return this.#clock;
    const { bootId } = this;
    this.#clock = {
      bootId,
      nowMs: () => this.#sim.nowMs + this.#clockAheadMs,
      after: (delayMs, callback) => this.after(delayMs, callback, bootId),
    };
    return this.#clock;
  }

  /** In this run, which is the one under way where none is named, and in no later one. */
  after(delayMs: number, run: () => void, bootId = this.bootId): () => void {
    const timer: Timer = { run, bootId, cancel: NOTHING };
    timer.cancel = this.#sim.after(delayMs, () => {
      this.#fire(timer);
    });
    return () => {
      timer.cancel();
    };
  }

  /** What reaches it now happens at once, or when it goes on; in this run, as for `after`. */
  reach(run: () => void, bootId = this.bootId): void {
    this.#fire({ run, bootId, cancel: NOTHING });
  }

  #fire(timer: Timer): void {
    if (!this.#isRunning || this.bootId !== timer.bootId) return;
    if (!this.isPaused) timer.run();
    else
      timer.cancel = this.#sim.after(this.#pausedUntilMs - this.#sim.nowMs, () => {
        this.#fire(timer);
      });
  }
}

interface Timer {
  readonly run: () => void;
  readonly bootId: string;
  cancel: () => void;
}

const NOTHING = (): void => undefined;
