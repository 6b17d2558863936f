import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Office } from '../leading/leadership.js';
import { type Planner } from '../planning/planner.js';
import { type RetryBackoff } from '../leading/retry-backoff.js';
import { type WorkerAdmission } from '../leading/worker-admission.js';
import { type ChangeFeed } from './change-feed.js';
import { LEADER_ACTOR, orderOf } from './change-order.js';
import { type Changes } from './changes.js';
import { type Drains } from './drains.js';

export interface ReturnsOptions {
  readonly admission: Pick<WorkerAdmission, 'backByNow' | 'isUntilRestart'>;
  readonly planner: Pick<Planner, 'make'>;
  readonly changes: Pick<Changes, 'start'>;
  readonly drains: Pick<Drains, 'underWay'>;
  readonly backoff: RetryBackoff;
  /** The worker has its experts. */
  readonly accept: (workerId: string) => Promise<void>;
  /** It is tried again. */
  readonly onFailed: (error: ExpertmeshError) => void;
}

/**
 * Workers that were drained to be started again, and have been. They take part in plans, and accept experts for good
 * once they have some; a change that fails is tried again: an operator was promised that they get experts.
 */
export class Returns {
  readonly #options: ReturnsOptions;
  #given: { readonly workerIds: readonly string[]; readonly feed: ChangeFeed } | undefined;

  constructor(options: ReturnsOptions) {
    this.#options = options;
  }

  get workerIds(): string[] {
    const { admission, drains } = this.#options;
    return admission.backByNow.filter((workerId) => !drains.underWay.has(workerId));
  }

  /**
   * Ends the return of those that were given experts, unless an operator has said something else of them meanwhile.
   * Errors as `accept`.
   */
  async acceptGiven(): Promise<void> {
    if (this.#given?.feed.isOver !== true) return;
    const { workerIds, feed } = this.#given;
    if (feed.hasSucceeded)
      for (const workerId of workerIds) if (this.#isReturning(workerId)) await this.#options.accept(workerId);
    this.#given = undefined;
  }

  /**
   * Has a change planned that gives them experts, and begun, where one is due: planning may have to wait for other
   * plans for minutes.
   */
  give(office: Office): void {
    const { workerIds } = this;
    if (workerIds.length > 0 && this.#options.backoff.isDue(workerIds.join(', '))) void this.#give(workerIds, office);
  }

  // Never rejects.
  async #give(workerIds: readonly string[], office: Office): Promise<void> {
    const { backoff, onFailed } = this.#options;
    try {
      const situation = workerIds.join(', ');
      const feed = await backoff.attempt(situation, () => this.#begin(workerIds, office));
      this.#given = { workerIds, feed };
    } catch (thrown) {
      if (!office.signal.aborted) onFailed(ExpertmeshError.from(thrown));
    }
  }

  async #begin(workerIds: readonly string[], office: Office): Promise<ChangeFeed> {
    const { planner, changes } = this.#options;
    const wish = { policy: 'balanced', returning: new Set(workerIds) } as const;
    const made = await planner.make(wish, office.signal);
    const returning = new Set(workerIds.filter((workerId) => this.#isReturning(workerId)));
    const reason = `${workerIds.join(', ')}: started again after a drain`;
    return changes.start(orderOf(made, { actor: LEADER_ACTOR, policy: wish.policy, reason, returning }), office);
  }

  #isReturning(workerId: string): boolean {
    const { admission, drains } = this.#options;
    return admission.isUntilRestart(workerId) && !drains.underWay.has(workerId);
  }
}
