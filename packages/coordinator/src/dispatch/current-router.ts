import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { ReplicaRouter } from './replica-router.js';
import { type WorkerCosts } from './worker-cost.js';

/** The router of the newest placement, and who waits for a newer one. */
export class CurrentRouter {
  readonly #clock: Clock;
  /** Called when there is a newer placement, or will be none any more. */
  readonly #listeners = new Set<() => void>();
  #router: ReplicaRouter | undefined;
  #costs: WorkerCosts = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** undefined before the first placement. */
  get placement(): Placement | undefined {
    return this.#router?.placement;
  }

  setPlacement(placement: Placement): void {
    this.#router = new ReplicaRouter(placement, this.#costs);
    this.endWaits();
  }

  /** By which replicas are chosen from now on; what workers have had to do lately counts as before. */
  setCosts(costs: WorkerCosts): void {
    this.#costs = costs;
    this.#router?.setCosts(costs);
  }

  /** @throws ExpertmeshError `failed_precondition` before the first placement. */
  require(): ReplicaRouter {
    if (this.#router !== undefined) return this.#router;
    throw new ExpertmeshError('failed_precondition', 'no placement yet: no worker has been given experts');
  }

  /** Resolves when there is a newer one than this, the time is over, or waits are ended. */
  newer(than: ReplicaRouter, waitMs: number): Promise<void> {
    if (this.#router !== than) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        cancelTimer();
        this.#listeners.delete(end);
        resolve();
      };
      const cancelTimer = this.#clock.after(waitMs, end);
      this.#listeners.add(end);
    });
  }

  endWaits(): void {
    for (const tell of this.#listeners) tell();
  }
}
