import { ExpertmeshError, type ErrorCode } from '@expertmesh/shared/errors/expertmesh-error';
import { ChangeProgress_State } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type PlacementPolicy } from '@expertmesh/shared/placement/plan-placement';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type ChangeFeed } from './change/change-feed.js';
import { type AuditEntry, type Changes } from './change/changes.js';
import { type Drains } from './change/drains.js';
import { decideFirstPlacement, type FirstPlacementFacts } from './decisions/first-placement.js';
import { decideRepair, isDead } from './decisions/repair.js';
import { type Office } from './leadership.js';
import { type PlacementStore } from './placement/placement-store.js';
import { type Planner, type PlanWish } from './planning/planner.js';
import { RetryBackoff } from './retry-backoff.js';
import { type Admission, type WorkerAdmission } from './worker-admission.js';
import { type KnownWorkers } from './workers/known-workers.js';

export interface LeaderDutiesOptions {
  readonly store: PlacementStore;
  readonly known: KnownWorkers;
  readonly admission: WorkerAdmission;
  readonly planner: Planner;
  readonly changes: Changes;
  readonly drains: Pick<Drains, 'isUnderWay'>;
  /** Whether the engine has loaded, and workers hold what calls are routed to them for where they can. */
  readonly isSettled: () => boolean;
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
  /** Why there is no placement yet. */
  readonly onWaiting: (because: string) => void;
  readonly onAudit: (entry: AuditEntry) => void;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Who decides where no operator did: named in history and audit. */
export const LEADER_ACTOR = 'expertmesh';

const TICK_MS = 250;
/** Every moment without its experts costs requests; little has to be decided. */
const REPAIR_PLAN_MS = 500;
/** After something failed, which may be for want of memory that nobody will add soon. */
const RETRY_MS = 5_000;
/** Between changes that are taken back one after the other. */
const LONGEST_RETRY_MS = 300_000;

const GOOD_ENDS: readonly ChangeProgress_State[] = [
  ChangeProgress_State.STATE_DONE,
  ChangeProgress_State.STATE_NOT_NEEDED,
];

/** Of a control plane that is away. */
const AWAY: readonly ErrorCode[] = ['unavailable', 'deadline_exceeded'];

/** What a leader sees to by itself, in office: a first placement, changes that were left unfinished, workers that died or were drained. */
export class LeaderDuties {
  readonly #options: LeaderDutiesOptions;
  #office: Office | undefined;
  #cancelTimer: () => void = () => undefined;
  #hasTakenOver = false;
  #hasSettled = false;
  #complaint = '';
  #repairs: RetryBackoff;
  #returns: RetryBackoff;
  /** Workers that are given experts again, and the change that does it. */
  #returning: { readonly workerIds: readonly string[]; readonly feed: ChangeFeed } | undefined;

  constructor(options: LeaderDutiesOptions) {
    this.#options = options;
    this.#repairs = this.#backoff();
    this.#returns = this.#backoff();
  }

  /** Goes on until the office ends. */
  begin(office: Office): void {
    this.#office = office;
    this.#hasTakenOver = false;
    this.#hasSettled = false;
    this.#complaint = '';
    this.#repairs = this.#backoff();
    this.#returns = this.#backoff();
    this.#returning = undefined;
    void this.#tick(office);
  }

  end(): void {
    this.#office = undefined;
    this.#cancelTimer();
  }

  // Never rejects.
  async #tick(office: Office): Promise<void> {
    let delayMs = TICK_MS;
    try {
      await this.#perform(office);
      this.#complaint = '';
    } catch (thrown) {
      if (this.#office !== office) return;
      const error = ExpertmeshError.from(thrown);
      if (!AWAY.includes(error.code)) delayMs = RETRY_MS;
      this.#complain(error);
    }
    if (this.#office !== office) return;
    this.#cancelTimer = this.#options.clock.after(delayMs, () => {
      void this.#tick(office);
    });
  }

  async #perform(office: Office): Promise<void> {
    const { store, changes, admission, drains, isSettled } = this.#options;
    // What is in force has to be known before anything can replace it.
    if (!store.isCurrent) return undefined;
    if (!this.#hasTakenOver) await store.takeOffice(office.epoch);
    this.#hasTakenOver = true;
    await store.reconcile();
    const { inForce } = store;
    if (inForce === undefined) return this.#placeFirst(office);
    if (changes.running !== undefined) return undefined;
    this.#hasSettled ||= isSettled();
    if (!this.#hasSettled) return undefined;
    if (inForce.change !== undefined) return changes.resume(office);
    if (drains.isUnderWay) return undefined;
    for (const workerId of admission.drainedByNow) await this.#admit(workerId, 'drained');
    for (const workerId of admission.rejoinedByNow) await this.#admit(workerId, 'accepting');
    await admission.forgetGone();
    await this.#admitReturned();
    const returning = admission.backByNow;
    if (await this.#repair(returning, office)) return undefined;
    return this.#giveAgain(returning, office);
  }

  async #admit(workerId: string, after: Admission): Promise<void> {
    const { admission, onAudit } = this.#options;
    const before = admission.of(workerId);
    await admission.set(workerId, after, after === 'drained' && admission.isUntilRestart(workerId));
    const action = after === 'drained' ? `drain worker ${workerId}` : `worker ${workerId} was started again`;
    onAudit({ actor: LEADER_ACTOR, action, before, after, outcome: 'done' });
  }

  async #placeFirst(office: Office): Promise<void> {
    const { first, changes, store, known, model, clock, onWaiting } = this.#options;
    const order = { actor: LEADER_ACTOR, policy: first.policy, redundantExperts: 0, survive: 0 };
    if (first.fixed !== undefined)
      return changes.begin({ ...order, reason: 'the first placement', placement: first.fixed }, office);
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
        return changes.begin({ ...order, reason: 'what the workers hold', placement: decision.placement }, office);
      case 'plan': {
        const { redundantExperts, survive } = first;
        const { plan } = await this.#options.planner.make(first, office.signal);
        const reason = 'the first placement';
        return changes.begin({ ...order, reason, redundantExperts, survive, placement: plan.placement }, office);
      }
    }
  }

  // They take part in plans meanwhile, and a change that fails is tried again: an operator was promised that they get experts.
  async #giveAgain(workerIds: readonly string[], office: Office): Promise<void> {
    const situation = workerIds.join(', ');
    if (workerIds.length === 0 || !this.#returns.isDue(situation)) return;
    const wish = { policy: 'balanced', returning: new Set(workerIds) } as const;
    const feed = await this.#start(wish, `${situation}: started again after a drain`, office);
    this.#returns.follow(feed, situation);
    this.#returning = { workerIds, feed };
  }

  async #admitReturned(): Promise<void> {
    if (this.#returning?.feed.isOver !== true) return;
    const { workerIds, feed } = this.#returning;
    if (GOOD_ENDS.includes(feed.latest.state))
      for (const workerId of workerIds) await this.#admit(workerId, 'accepting');
    this.#returning = undefined;
  }

  /** @returns whether a repair has been begun. */
  async #repair(returning: readonly string[], office: Office): Promise<boolean> {
    const { store, known, repairAfterMs, clock } = this.#options;
    const current = store.inForce && store.document(store.inForce.version);
    if (current === undefined) return false;
    const workers = known.list();
    const admitted = Object.entries(store.admissions.workers).filter(([workerId]) => !returning.includes(workerId));
    const facts = {
      placement: current.placement,
      survive: current.survive,
      workers,
      admissions: Object.fromEntries(admitted),
      repairAfterMs,
      nowMs: clock.nowMs(),
    };
    const repair = decideRepair(facts);
    if (repair === undefined) return false;
    // Whoever has come or gone since a repair failed may be what the next one needs.
    const up = workers.filter(({ state }) => state === 'up').map(({ workerId }) => workerId);
    const situation = `${repair.reason} beside ${up.join(', ')}`;
    if (!this.#repairs.isDue(situation)) return false;
    const wish = {
      policy: 'balanced',
      leaving: new Set(workers.flatMap(({ workerId }) => (isDead(workerId, facts) ? [workerId] : []))),
      returning: new Set(returning),
      isUrgent: true,
      timeBudgetMs: REPAIR_PLAN_MS,
    } as const;
    this.#repairs.follow(await this.#start(wish, repair.reason, office), situation);
    return true;
  }

  async #start(wish: PlanWish, reason: string, office: Office): Promise<ChangeFeed> {
    const { changes, planner } = this.#options;
    const { plan, baseVersion, redundantExperts, survive } = await planner.make(wish, office.signal);
    const { policy, returning } = wish;
    const order = { actor: LEADER_ACTOR, policy, reason, redundantExperts, survive, ...(returning && { returning }) };
    return changes.start({ ...order, placement: plan.placement, expectedVersion: baseVersion }, office);
  }

  #backoff(): RetryBackoff {
    const { clock } = this.#options;
    return new RetryBackoff({ clock, firstMs: RETRY_MS, longestMs: LONGEST_RETRY_MS });
  }

  // Every reason once: it is tried again and again.
  #complain({ message }: ExpertmeshError): void {
    const { store, onWaiting, logger } = this.#options;
    if (store.inForce === undefined) onWaiting(message);
    if (message === this.#complaint) return;
    this.#complaint = message;
    logger.warn({ reason: message }, 'the leader could not do what is to be done; it tries again');
  }
}
