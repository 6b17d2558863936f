import { ExpertmeshError, type ErrorCode } from '@expertmesh/shared/errors/expertmesh-error';
import { type PlacementPolicy } from '@expertmesh/shared/placement/plan-placement';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type Changes } from './change/changes.js';
import { decideFirstPlacement, type FirstPlacementFacts } from './decisions/first-placement.js';
import { decideRepair, isDead } from './decisions/repair.js';
import { type Office } from './leadership.js';
import { type PlacementStore } from './placement/placement-store.js';
import { type Planner } from './planning/planner.js';
import { type WorkerAdmission } from './worker-admission.js';
import { type KnownWorkers } from './workers/known-workers.js';

export interface LeaderDutiesOptions {
  readonly store: PlacementStore;
  readonly known: KnownWorkers;
  readonly admission: WorkerAdmission;
  readonly planner: Planner;
  readonly changes: Changes;
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

/** Of a control plane that is away. */
const AWAY: readonly ErrorCode[] = ['unavailable', 'deadline_exceeded'];

/** What a leader sees to by itself, in office: a first placement, changes that were left unfinished, workers that died or were drained. */
export class LeaderDuties {
  readonly #options: LeaderDutiesOptions;
  #office: Office | undefined;
  #cancelTimer: () => void = () => undefined;
  #hasTakenOver = false;
  #complaint = '';

  constructor(options: LeaderDutiesOptions) {
    this.#options = options;
  }

  /** Goes on until the office ends. */
  begin(office: Office): void {
    this.#office = office;
    this.#hasTakenOver = false;
    this.#complaint = '';
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
    const { store, changes, admission } = this.#options;
    // What is in force has to be known before anything can replace it.
    if (!store.isCurrent) return undefined;
    if (!this.#hasTakenOver) await store.takeOffice(office.epoch);
    this.#hasTakenOver = true;
    await store.putBack();
    const { inForce } = store;
    if (inForce === undefined) return this.#placeFirst(office);
    if (changes.running !== undefined) return undefined;
    if (inForce.change !== undefined) return changes.resume(office);
    for (const workerId of admission.drainedByNow)
      await admission.set(workerId, 'drained', admission.isUntilRestart(workerId));
    for (const workerId of admission.rejoinedByNow) await admission.set(workerId, 'accepting');
    const back = admission.backByNow;
    for (const workerId of back) await admission.set(workerId, 'accepting');
    if (back.length > 0) return this.#giveAgain(back, office);
    return this.#repair(office);
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
        const { plan } = await this.#options.planner.make(first);
        const reason = 'the first placement';
        return changes.begin({ ...order, reason, redundantExperts, survive, placement: plan.placement }, office);
      }
    }
  }

  async #giveAgain(workerIds: readonly string[], office: Office): Promise<void> {
    const { changes, planner } = this.#options;
    const { plan, baseVersion, redundantExperts, survive } = await planner.make({ policy: 'balanced' });
    const reason = `${workerIds.join(', ')}: started again after a drain`;
    const order = { actor: LEADER_ACTOR, policy: 'balanced', reason, redundantExperts, survive } as const;
    await changes.start({ ...order, placement: plan.placement, expectedVersion: baseVersion }, office);
  }

  async #repair(office: Office): Promise<void> {
    const { store, known, planner, changes, repairAfterMs, clock } = this.#options;
    const current = store.inForce && store.document(store.inForce.version);
    if (current === undefined) return;
    const facts = {
      placement: current.placement,
      survive: current.survive,
      workers: known.list(),
      admissions: store.admissions.workers,
      repairAfterMs,
      nowMs: clock.nowMs(),
    };
    const repair = decideRepair(facts);
    if (repair === undefined) return;
    const leaving = new Set(known.list().flatMap(({ workerId }) => (isDead(workerId, facts) ? [workerId] : [])));
    const { plan, baseVersion, redundantExperts, survive } = await planner.make({
      policy: 'balanced',
      leaving,
      isUrgent: true,
      timeBudgetMs: REPAIR_PLAN_MS,
    });
    const { reason } = repair;
    const { placement } = plan;
    await changes.start(
      {
        actor: LEADER_ACTOR,
        policy: 'balanced',
        reason,
        redundantExperts,
        survive,
        placement,
        expectedVersion: baseVersion,
      },
      office,
    );
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
