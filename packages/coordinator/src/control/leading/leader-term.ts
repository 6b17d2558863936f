import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type PlacementPolicy } from '@expertmesh/shared/placement/plan-placement';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { admit } from './admit.js';
import { LEADER_ACTOR, orderOf } from '../change/change-order.js';
import { type AuditEntry, type Changes } from '../change/changes.js';
import { type Drains } from '../change/drains.js';
import { Returns } from '../change/returns.js';
import { decideFirstPlacement, type FirstPlacementFacts } from '../decisions/first-placement.js';
import { decideRepair, isDead } from '../decisions/repair.js';
import { type Office } from './leadership.js';
import { type PlacementStore } from '../placement/placement-store.js';
import { type Planner } from '../planning/planner.js';
import { RetryBackoff } from './retry-backoff.js';
import { type Admission, type WorkerAdmission } from './worker-admission.js';
import { type KnownWorkers } from '../workers/known-workers.js';

export interface LeaderTermOptions {
  readonly store: PlacementStore;
  readonly known: KnownWorkers;
  readonly admission: WorkerAdmission;
  readonly planner: Planner;
  readonly changes: Changes;
  readonly drains: Pick<Drains, 'underWay'>;
  /**
   * Why changes wait: the engine has not loaded, or workers have not had the chance to hold what calls are routed to
   * them for.
   */
  readonly whyUnsettled: () => string | undefined;
  readonly model: Pick<FirstPlacementFacts, 'layerIndices' | 'numExperts'>;
  readonly first: {
    /** Of a static cluster: needs no worker to have said anything. */
    readonly fixed: Placement | undefined;
    readonly minWorkers: number;
    readonly policy: PlacementPolicy;
    readonly redundantExperts: number;
    readonly survive: number;
  };
  readonly repairAfterMs: number;
  /** --replacement-wait-ms: where calls wait for experts that are lost, these are loaded elsewhere at once. */
  readonly replacementWaitMs: number;
  /** Why there is no placement yet. */
  readonly onWaiting: (because: string) => void;
  readonly onAudit: (entry: AuditEntry) => void;
  readonly clock: Clock;
}

/** Every moment without its experts costs requests; little has to be decided. */
const REPAIR_PLAN_MS = 500;
/** A process that is started again at once is back by then, with its experts still in the page cache. */
const LOST_AFTER_MS = 1_000;
/** After something failed, which may be for want of memory that nobody will add soon. */
export const RETRY_MS = 5_000;
/** Between changes that fail one after the other. */
export const LONGEST_RETRY_MS = 300_000;

/** What a leader sees to by itself, in one office: nothing of it is left to the next one. */
export class LeaderTerm {
  readonly #options: LeaderTermOptions;
  readonly #office: Office;
  readonly #repairs: RetryBackoff;
  readonly #givings: RetryBackoff;
  readonly #returns: Returns;
  #hasTakenOver = false;
  #hasSettled = false;

  /** @param onFailed is told of what `perform` does not wait for, and tries again */
  constructor(options: LeaderTermOptions, office: Office, onFailed: (error: ExpertmeshError) => void) {
    this.#options = options;
    this.#office = office;
    const { clock } = options;
    this.#repairs = new RetryBackoff({ clock, firstMs: RETRY_MS, longestMs: LONGEST_RETRY_MS });
    this.#givings = new RetryBackoff({ clock, firstMs: RETRY_MS, longestMs: LONGEST_RETRY_MS });
    const accept = (workerId: string): Promise<void> => this.#admit(workerId, 'accepting');
    this.#returns = new Returns({ ...options, backoff: this.#givings, accept, onFailed });
  }

  /** Whether a change that can wait may begin. */
  get mayChange(): boolean {
    const { changes, drains } = this.#options;
    return this.#hasSettled && changes.isFree() && drains.underWay.size === 0;
  }

  /**
   * Does what is to be done now; to be called again and again. Errors as PlacementStore, Planner.make and
   * Changes.start.
   */
  async perform(): Promise<void> {
    const { store, changes, whyUnsettled } = this.#options;
    // What is in force has to be known before anything can replace it.
    if (!store.isCurrent) return undefined;
    if (!this.#hasTakenOver) await store.takeOffice(this.#office.epoch);
    this.#hasTakenOver = true;
    await store.reconcile();
    if (store.inForce === undefined) return this.#placeFirst();
    if (changes.running !== undefined) return undefined;
    this.#hasSettled ||= whyUnsettled() === undefined;
    if (store.inForce.change !== undefined) return this.#resume();
    await this.#updateAdmissions();
    if (await this.#repair()) return undefined;
    if (this.#returns.workerIds.length === 0) return undefined;
    this.#requireSettled();
    this.#returns.give(this.#office);
  }

  async #placeFirst(): Promise<void> {
    const { first, changes, store, known, model, clock, planner, onWaiting } = this.#options;
    const by = { actor: LEADER_ACTOR, policy: first.policy, reason: 'the first placement' };
    const order = { ...by, redundantExperts: 0, survive: 0 };
    if (first.fixed !== undefined) return changes.begin({ ...order, placement: first.fixed }, this.#office);
    const decision = decideFirstPlacement({
      ...model,
      workers: known.list(),
      nextVersion: store.nextVersion,
      minWorkers: first.minWorkers,
      nowMs: clock.nowMs(),
    });
    switch (decision.kind) {
      case 'wait':
        onWaiting(decision.because);
        return undefined;
      case 'take':
        return changes.begin(
          { ...order, reason: 'what the workers hold', placement: decision.placement },
          this.#office,
        );
      case 'plan':
        return changes.begin(orderOf(await planner.make(first, this.#office.signal), by), this.#office);
    }
  }

  async #resume(): Promise<void> {
    this.#requireSettled();
    const feed = await this.#options.changes.resume(this.#office);
    if (feed !== undefined) for (const backoff of [this.#repairs, this.#givings]) backoff.resumed(feed);
  }

  async #updateAdmissions(): Promise<void> {
    const { admission, drains } = this.#options;
    for (const workerId of admission.drainedByNow)
      if (!drains.underWay.has(workerId)) await this.#admit(workerId, 'drained');
    for (const workerId of admission.rejoinedByNow) await this.#admit(workerId, 'accepting');
    await admission.forgetGone();
    await this.#returns.acceptGiven();
  }

  async #admit(workerId: string, after: Admission): Promise<void> {
    const isUntilRestart = after === 'drained' && this.#options.admission.isUntilRestart(workerId);
    const action = after === 'drained' ? `drain worker ${workerId}` : `worker ${workerId} was started again`;
    await admit(this.#options, { workerId, actor: LEADER_ACTOR }, after, { action, outcome: 'done', isUntilRestart });
  }

  /** @returns whether a repair has been begun. */
  async #repair(): Promise<boolean> {
    const { store, known, drains, repairAfterMs, replacementWaitMs, clock, changes, planner } = this.#options;
    const current = store.inForce && store.document(store.inForce.version);
    if (current === undefined) return false;
    const workers = known.list();
    const returning = new Set(this.#returns.workerIds);
    // Workers that come back, or whose drain is seen to, are not to be emptied by a repair as well.
    const admitted = Object.entries(store.admissions.workers).filter(
      ([workerId, said]) => !returning.has(workerId) && !(said === 'draining' && drains.underWay.has(workerId)),
    );
    const facts = {
      placement: current.placement,
      survive: current.survive,
      workers,
      admissions: Object.fromEntries(admitted),
      repairAfterMs,
      lostAfterMs: replacementWaitMs > 0 ? LOST_AFTER_MS : undefined,
      nowMs: clock.nowMs(),
    };
    const repair = decideRepair(facts);
    if (repair === undefined) return false;
    // Whoever has come or gone since a repair failed may be what the next one needs.
    const up = workers.filter(({ state }) => state === 'up').map(({ workerId }) => workerId);
    const situation = `${repair.reason} beside ${up.join(', ')}`;
    if (!this.#repairs.isDue(situation)) return false;
    this.#requireSettled();
    const wish = {
      policy: 'balanced',
      leaving: new Set([
        ...repair.dead,
        ...workers.flatMap(({ workerId }) => (isDead(workerId, facts) ? [workerId] : [])),
      ]),
      returning,
      isUrgent: true,
      timeBudgetMs: REPAIR_PLAN_MS,
    } as const;
    const by = { actor: LEADER_ACTOR, policy: wish.policy, reason: repair.reason, returning };
    await this.#repairs.attempt(situation, async () =>
      changes.start(orderOf(await planner.make(wish, this.#office.signal), by), this.#office),
    );
    return true;
  }

  // Asked for only where something is to be done: what waits is worth a complaint then.
  #requireSettled(): void {
    if (this.#hasSettled) return;
    const because = this.#options.whyUnsettled();
    if (because !== undefined)
      throw new ExpertmeshError('unavailable', `the placement does not change yet: ${because}`);
  }
}
