import { type WorkerAdmissions } from '@expertmesh/shared/cluster/placement-document';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { numReplicasIn, shardsOf } from '../placement/shards.js';
import { type PlacementStore } from '../placement/placement-store.js';
import { type Membership } from '../workers/membership.js';

export type Admission = 'accepting' | WorkerAdmissions['workers'][string];

/** A worker that runs all the same, and cannot reach the control plane, is back by then. */
const FORGET_REMOVED_AFTER_MS = 600_000;
/** One that was cordoned or drained may be away for repairs; what nobody comes back to does not stay for ever. */
const FORGET_OTHERS_AFTER_MS = 7 * 24 * 3_600_000;

/** What operators say of workers. All that change something act in office, and throw as PlacementStore for writes. */
export class WorkerAdmission {
  readonly #store: PlacementStore;
  readonly #membership: Pick<Membership, 'known' | 'has' | 'isRegistered'>;
  readonly #clock: Clock;
  /** Workers that are named here and of which nothing is there any more, since when. */
  readonly #goneSinceMs = new Map<string, number>();

  constructor(store: PlacementStore, membership: Pick<Membership, 'known' | 'has' | 'isRegistered'>, clock: Clock) {
    this.#store = store;
    this.#membership = membership;
    this.#clock = clock;
  }

  of(workerId: string): Admission {
    return this.#store.admissions.workers[workerId] ?? 'accepting';
  }

  /** Replicas that the placement in force gives it, and those that a change under way does. */
  numReplicas(workerId: string): number {
    const { inForce, routing } = this.#store;
    const to = inForce?.change && this.#store.placement(inForce.change.toVersion);
    return [routing, to].reduce(
      (total, placement) => total + (placement === undefined ? 0 : numReplicasIn(shardsOf(placement, workerId))),
      0,
    );
  }

  /** Why a worker cannot be given experts, as the end of a sentence about it; undefined when it can. */
  cannotTake(workerId: string): string | undefined {
    const worker = this.#membership.known.get(workerId);
    if (worker === undefined) return 'is not known';
    const admission = this.of(workerId);
    if (admission !== 'accepting') return `is ${admission}`;
    return worker.state === 'up' ? undefined : `is away: ${worker.reason}`;
  }

  /**
   * A worker that was removed can be named as long as that is remembered: one of --workers comes back by no other way.
   *
   * @throws ExpertmeshError `not_found`.
   */
  requireKnown(workerId: string): void {
    if (this.#membership.has(workerId) || this.of(workerId) !== 'accepting') return;
    throw new ExpertmeshError(
      'not_found',
      `there is no worker ${workerId}: "expertmesh workers list" names those there are`,
    );
  }

  /** @throws ExpertmeshError `failed_precondition` for a worker that serves experts. */
  requireRemovable(workerId: string): void {
    this.requireKnown(workerId);
    const isUp = this.#membership.known.get(workerId)?.state === 'up';
    if (!isUp || this.numReplicas(workerId) === 0) return;
    throw new ExpertmeshError(
      'failed_precondition',
      `worker ${workerId} serves ${String(this.numReplicas(workerId))} replicas: ` +
        `drain it first ("expertmesh workers drain ${workerId}")`,
    );
  }

  /** @param isUntilRestart whether it is said of the worker's process that runs now alone, and not of the next one. */
  async set(workerId: string, admission: Admission, isUntilRestart = admission === 'removed'): Promise<void> {
    const now = this.#bootId(workerId);
    await this.#store.changeAdmissions(({ workers, untilRestart }) => {
      const before = untilRestart[workerId];
      // A drain is of the process that ran when it began; a removal is of the one that runs now, or ran last.
      const bootId = (admission === 'removed' ? (now ?? before) : (before ?? now)) ?? '';
      return {
        workers: admission === 'accepting' ? without(workers, workerId) : { ...workers, [workerId]: admission },
        untilRestart: isUntilRestart ? { ...untilRestart, [workerId]: bootId } : without(untilRestart, workerId),
      };
    });
  }

  /** Whether a worker is drained, or being drained, only to be started again. */
  isUntilRestart(workerId: string): boolean {
    return this.of(workerId) !== 'removed' && this.#store.admissions.untilRestart[workerId] !== undefined;
  }

  /** Workers that were drained to be started again, and have been. */
  get backByNow(): string[] {
    return Object.entries(this.#store.admissions.untilRestart)
      .filter(([workerId, bootId]) => this.isUntilRestart(workerId) && this.#isUpAsAnother(workerId, bootId))
      .map(([workerId]) => workerId);
  }

  /** Removed workers in whose place another process has come. */
  get rejoinedByNow(): string[] {
    const { workers, untilRestart } = this.#store.admissions;
    return Object.entries(untilRestart)
      .filter(([workerId, bootId]) => workers[workerId] === 'removed' && this.#isUpAsAnother(workerId, bootId))
      .map(([workerId]) => workerId);
  }

  /**
   * Forgets what was said of workers that have been gone for long: whoever comes under their name is a new worker. To
   * be called again and again; what this coordinator has seen counts.
   */
  async forgetGone(): Promise<void> {
    const nowMs = this.#clock.nowMs();
    const isGone = (workerId: string): boolean =>
      !this.#membership.isRegistered(workerId) && this.numReplicas(workerId) === 0;
    const gone = Object.keys(this.#store.admissions.workers).filter(isGone);
    for (const workerId of this.#goneSinceMs.keys()) if (!gone.includes(workerId)) this.#goneSinceMs.delete(workerId);
    for (const workerId of gone) {
      const sinceMs = this.#goneSinceMs.get(workerId) ?? nowMs;
      this.#goneSinceMs.set(workerId, sinceMs);
      const forgetAfterMs = this.of(workerId) === 'removed' ? FORGET_REMOVED_AFTER_MS : FORGET_OTHERS_AFTER_MS;
      if (nowMs - sinceMs >= forgetAfterMs) await this.set(workerId, 'accepting');
    }
  }

  #isUpAsAnother(workerId: string, bootId: string): boolean {
    const worker = this.#membership.known.get(workerId);
    return worker?.state === 'up' && worker.stats?.bootId !== bootId;
  }

  #bootId(workerId: string): string | undefined {
    return this.#membership.known.get(workerId)?.stats?.bootId;
  }

  /** Workers that were to be drained, and hold nothing any more. */
  get drainedByNow(): string[] {
    return Object.entries(this.#store.admissions.workers)
      .filter(([workerId, admission]) => admission === 'draining' && this.numReplicas(workerId) === 0)
      .map(([workerId]) => workerId);
  }
}

const without = <T>(record: Readonly<Record<string, T>>, key: string): Record<string, T> =>
  Object.fromEntries(Object.entries(record).filter(([name]) => name !== key));
