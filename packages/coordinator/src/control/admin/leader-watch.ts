import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Clock } from '@expertmesh/shared/rpc/clock';

export interface LeaderWatchOptions {
  /** Of the leader that the call is passed on to. */
  readonly address: string;
  readonly leaderAddress: () => string | undefined;
  readonly callerGone: AbortSignal;
  readonly clock: Clock;
}

const LOOK_INTERVAL_MS = 250;

/**
 * Ends a call that was passed on when another coordinator leads, or none that is known of: a leader that froze answers
 * no more, and TCP does not tell for a long time.
 */
export class LeaderWatch {
  readonly #options: LeaderWatchOptions;
  readonly #abort = new AbortController();
  #hasChanged = false;
  #cancelTimer: () => void = () => undefined;

  constructor(options: LeaderWatchOptions) {
    this.#options = options;
    const { callerGone } = options;
    callerGone.addEventListener('abort', this.#end);
    if (callerGone.aborted) this.#end();
    else this.#lookLater();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** What the call failed with, or why it was ended here. */
  translate(error: unknown): unknown {
    if (!this.#hasChanged) return error;
    return new ExpertmeshError(
      'unavailable',
      `the coordinator at ${this.#options.address} leads no longer: ` +
        'ask again; a change that it had begun goes on under the next leader ' +
        '("expertmesh top" shows it)',
      { cause: error },
    );
  }

  /** To be called when the call has ended. */
  close(): void {
    this.#cancelTimer();
    this.#options.callerGone.removeEventListener('abort', this.#end);
  }

  readonly #end = (): void => {
    this.#cancelTimer();
    this.#abort.abort();
  };

  #lookLater(): void {
    const { clock, leaderAddress, address } = this.#options;
    this.#cancelTimer = clock.after(LOOK_INTERVAL_MS, () => {
      this.#hasChanged = leaderAddress() !== address;
      if (this.#hasChanged) this.#end();
      else this.#lookLater();
    });
  }
}
