import { ExpertmeshError, isAway } from '@expertmesh/shared/errors/expertmesh-error';
import { type Logger } from '@expertmesh/shared/process/logger';
import { LeaderTerm, LONGEST_RETRY_MS, RETRY_MS, type LeaderTermOptions } from './leader-term.js';
import { type Office } from './leadership.js';

export interface LeaderDutiesOptions extends LeaderTermOptions {
  readonly logger: Logger;
}

const TICK_MS = 250;
/**
 * What fails for longer fails again within this time at the latest: said again after it, it is said of something new.
 */
const COMPLAINT_MS = 2 * LONGEST_RETRY_MS;

/**
 * What a leader sees to by itself, in office: a first placement, changes that were left unfinished, workers that died,
 * were drained or came back.
 */
export class LeaderDuties {
  readonly #options: LeaderDutiesOptions;
  #term: LeaderTerm | undefined;
  #cancelTimer: () => void = () => undefined;
  #complaint = { message: '', atMs: -Infinity };

  constructor(options: LeaderDutiesOptions) {
    this.#options = options;
  }

  /** Goes on until the office ends. */
  begin(office: Office): void {
    this.end();
    this.#complaint = { message: '', atMs: -Infinity };
    const term = new LeaderTerm(this.#options, office, (error) => {
      this.#complain(error);
    });
    this.#term = term;
    void this.#tick(term);
  }

  end(): void {
    this.#term = undefined;
    this.#cancelTimer();
  }

  /** Whether a change that can wait may begin; false out of office. */
  get mayChange(): boolean {
    return this.#term?.mayChange ?? false;
  }

  // Never rejects.
  async #tick(term: LeaderTerm): Promise<void> {
    let delayMs = TICK_MS;
    try {
      await term.perform();
    } catch (thrown) {
      if (this.#term !== term) return;
      const error = ExpertmeshError.from(thrown);
      // A control plane that is away, and workers that are only about to be there, are looked for as soon as ever.
      if (!isAway(error)) delayMs = RETRY_MS;
      this.#complain(error);
    }
    if (this.#term !== term) return;
    this.#cancelTimer = this.#options.clock.after(delayMs, () => {
      void this.#tick(term);
    });
  }

  // Every reason once while it lasts: it is tried again and again.
  #complain({ message }: ExpertmeshError): void {
    const { store, onWaiting, logger, clock } = this.#options;
    if (store.inForce === undefined) onWaiting(message);
    const last = this.#complaint;
    this.#complaint = { message, atMs: clock.nowMs() };
    if (message === last.message && clock.nowMs() - last.atMs < COMPLAINT_MS) return;
    logger.warn({ reason: message }, 'the leader could not do what is to be done; it tries again');
  }
}
