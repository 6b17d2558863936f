import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/** Plans that wait for the one under way; the next is refused. */
const MAX_WAITING = 4;

interface Waiting {
  readonly begin: () => void;
  readonly giveUp: (error: ExpertmeshError) => void;
}

/** One plan at a time: each takes a core for seconds, which requests need, too. */
export class PlanQueue {
  readonly #waiting: Waiting[] = [];
  #current: AbortController | undefined;
  #isClosed = false;

  /**
   * @param isUrgent goes before the others that wait, and is never refused
   * @throws ExpertmeshError `resource_exhausted` where too many wait, `cancelled` when the signal aborts or the queue is closed; what `plan` throws.
   */
  async run<T>(plan: (signal: AbortSignal) => Promise<T>, signal: AbortSignal, isUrgent: boolean): Promise<T> {
    if (this.#isClosed || signal.aborted) throw cancelled();
    const planning = new AbortController();
    const abort = (): void => {
      planning.abort();
    };
    signal.addEventListener('abort', abort, { once: true });
    try {
      if (this.#current !== undefined) await this.#turn(planning.signal, isUrgent);
      return await this.#plan(plan, planning);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** Ends the plan under way and those that wait. */
  close(): void {
    this.#isClosed = true;
    for (const { giveUp } of this.#waiting.splice(0)) giveUp(cancelled());
    this.#current?.abort();
  }

  async #plan<T>(plan: (signal: AbortSignal) => Promise<T>, planning: AbortController): Promise<T> {
    this.#current = planning;
    if (this.#isClosed) planning.abort();
    try {
      return await plan(planning.signal);
    } finally {
      const next = this.#waiting.shift();
      // Whoever waits takes over at once: nobody comes in between.
      if (next === undefined) this.#current = undefined;
      else next.begin();
    }
  }

  async #turn(signal: AbortSignal, isUrgent: boolean): Promise<void> {
    if (!isUrgent && this.#waiting.length >= MAX_WAITING)
      throw new ExpertmeshError(
        'resource_exhausted',
        `${String(MAX_WAITING)} plans wait already, which is the limit: try again when they are made`,
      );
    let leave = (): void => undefined;
    try {
      await new Promise<void>((begin, giveUp) => {
        const waiting = { begin, giveUp };
        if (isUrgent) this.#waiting.unshift(waiting);
        else this.#waiting.push(waiting);
        leave = () => {
          const index = this.#waiting.indexOf(waiting);
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
