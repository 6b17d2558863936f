import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/** Plans that wait for the one under way; the next is refused. */
const MAX_WAITING = 4;

/** One plan at a time: each takes a core for seconds, or minutes, which requests need, too. */
export class PlanQueue {
  /** Of the plans under way and of those that wait. */
  readonly #planning = new Set<AbortController>();
  readonly #waiting: (() => void)[] = [];
  #isBusy = false;
  #isClosed = false;

  /**
   * @param isUrgent is made at once, whatever is under way: of those there is one at a time, and it takes little
   * @throws ExpertmeshError `resource_exhausted` where too many wait, `cancelled` when the signal aborts or the queue
   * is closed; what `plan` throws.
   */
  async run<T>(plan: (signal: AbortSignal) => Promise<T>, signal: AbortSignal, isUrgent: boolean): Promise<T> {
    if (this.#isClosed || signal.aborted) throw cancelled();
    const planning = new AbortController();
    const abort = (): void => {
      planning.abort();
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#planning.add(planning);
    try {
      return await (isUrgent ? plan(planning.signal) : this.#inTurn(plan, planning.signal));
    } finally {
      this.#planning.delete(planning);
      signal.removeEventListener('abort', abort);
    }
  }

  /** Ends the plans under way and those that wait. */
  close(): void {
    this.#isClosed = true;
    for (const planning of this.#planning) planning.abort();
  }

  async #inTurn<T>(plan: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#isBusy) await this.#turn(signal);
    this.#isBusy = true;
    try {
      return await plan(signal);
    } finally {
      const next = this.#waiting.shift();
      // Whoever waits takes over at once: nobody comes in between.
      if (next === undefined) this.#isBusy = false;
      else next();
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    if (this.#waiting.length >= MAX_WAITING)
      throw new ExpertmeshError(
        'resource_exhausted',
        `${String(MAX_WAITING)} plans wait already, which is the limit: try again when they are made`,
      );
    let leave = (): void => undefined;
    try {
      await new Promise<void>((begin, giveUp) => {
        this.#waiting.push(begin);
        leave = () => {
          const index = this.#waiting.indexOf(begin);
          if (index >= 0) this.#waiting.splice(index, 1);
          giveUp(cancelled());
        };
        signal.addEventListener('abort', leave, { once: true });
      });
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }
}

const cancelled = (): ExpertmeshError => new ExpertmeshError('cancelled', 'planning was interrupted');
