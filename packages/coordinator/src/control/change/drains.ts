import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ChangeProgress, ChangeProgress_State, type WorkerCommand } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type Office } from '../leadership.js';
import { type Planner } from '../planning/planner.js';
import { type Admission, type WorkerAdmission } from '../worker-admission.js';
import { ChangeFeed } from './change-feed.js';
import { type AuditEntry, type Changes } from './changes.js';
import { pause } from './poll-until.js';

export interface DrainsOptions {
  readonly admission: Pick<WorkerAdmission, 'of' | 'set' | 'numReplicas'>;
  readonly planner: Planner;
  readonly changes: Changes;
  readonly onAudit: (entry: AuditEntry) => void;
  readonly clock: Clock;
}

/** For the changes that are under way before a drain. */
const WAIT_LIMIT_MS = 600_000;
const POLL_INTERVAL_MS = 100;

/**
 * Drains that operators have asked for. Each goes on to its end whether who asked for it stays or not, and waits for the change under way and for
 * the drains before it: workers that leave together are emptied one after the other, often by the same change.
 */
export class Drains {
  readonly #options: DrainsOptions;
  readonly #underWay = new Map<string, ChangeFeed>();
  #lastTurn: Promise<unknown> = Promise.resolve();

  constructor(options: DrainsOptions) {
    this.#options = options;
  }

  /** Whether a drain is being seen to: the leader need not. */
  get isUnderWay(): boolean {
    return this.#underWay.size > 0;
  }

  /**
   * The feed tells how it goes: `not_needed` where the worker holds nothing, or nothing any more when its turn comes. It fails as Planner.make and
   * Changes.start, with `failed_precondition` where other changes take too long, and when the office ends. What fails or is taken back leaves the
   * worker admitted as before.
   */
  begin(command: WorkerCommand, office: Office): ChangeFeed {
    const { workerId } = command;
    const known = this.#underWay.get(workerId);
    if (known !== undefined) return known;
    const feed = new ChangeFeed(
      ChangeProgress.create({
        state: ChangeProgress_State.STATE_PLANNED,
        message: `worker ${workerId} is to be drained`,
      }),
    );
    this.#underWay.set(workerId, feed);
    void this.#run(command, feed, office);
    return feed;
  }

  // Never rejects.
  async #run(command: WorkerCommand, feed: ChangeFeed, office: Office): Promise<void> {
    try {
      feed.tell(await this.#drain(command, feed, office));
    } catch (thrown) {
      feed.fail(ExpertmeshError.from(thrown));
    } finally {
      this.#underWay.delete(command.workerId);
    }
  }

  async #drain(command: WorkerCommand, feed: ChangeFeed, office: Office): Promise<ChangeProgress> {
    const before = this.#options.admission.of(command.workerId);
    // Left by a leader before, which had not got to the end of it.
    const restored = before === 'draining' ? 'accepting' : before;
    await this.#admit(command, 'draining', 'begun');
    try {
      const last = await this.#inTurn(() => this.#empty(command, feed, office));
      if (last.state === ChangeProgress_State.STATE_ROLLED_BACK)
        await this.#end(command, restored, `rolled back: ${last.message}`);
      else await this.#end(command, 'drained', 'done');
      return last;
    } catch (thrown) {
      if (!office.signal.aborted) await this.#end(command, restored, `failed: ${ExpertmeshError.from(thrown).message}`);
      throw thrown;
    }
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#lastTurn.then(act);
    this.#lastTurn = done.catch(() => undefined);
    return done;
  }

  /** Waits, plans and moves. @returns the last that there is to tell. */
  async #empty(command: WorkerCommand, feed: ChangeFeed, office: Office): Promise<ChangeProgress> {
    const { admission, planner, changes, clock } = this.#options;
    const { workerId, actor } = command;
    for (const endMs = clock.nowMs() + WAIT_LIMIT_MS; ;) {
      await this.#untilFree(feed, endMs, office);
      if (admission.numReplicas(workerId) === 0) return holdsNothing(workerId);
      const made = await planner.make({ policy: 'balanced', leaving: new Set([workerId]) }, office.signal);
      if (!changes.isFree(made.baseVersion)) continue;
      const { plan, baseVersion: expectedVersion, redundantExperts, survive } = made;
      const reason = `worker ${workerId} is drained`;
      const order = { policy: 'balanced', actor, reason, redundantExperts, survive } as const;
      const change = await changes.start({ ...order, placement: plan.placement, expectedVersion }, office);
      if (await hasEnded(change, feed, office)) return change.latest;
    }
  }

  async #untilFree(feed: ChangeFeed, endMs: number, { signal }: Office): Promise<void> {
    const { changes, clock } = this.#options;
    while (!changes.isFree()) {
      const other = `the change to version ${String(changes.toVersion ?? 0)}`;
      if (clock.nowMs() >= endMs)
        throw new ExpertmeshError(
          'failed_precondition',
          `${other} has not ended for ten minutes: drain again after it`,
        );
      feed.tell({ message: `waits for ${other}` });
      await pause(POLL_INTERVAL_MS, clock, signal);
    }
  }

  // An operator may have said something else of the worker meanwhile.
  async #end(command: WorkerCommand, admission: Admission, outcome: string): Promise<void> {
    if (this.#options.admission.of(command.workerId) === 'draining') await this.#admit(command, admission, outcome);
  }

  async #admit({ workerId, actor, untilRestart }: WorkerCommand, admission: Admission, outcome: string): Promise<void> {
    const before = this.#options.admission.of(workerId);
    const isDrain = admission === 'draining' || admission === 'drained';
    await this.#options.admission.set(workerId, admission, isDrain && untilRestart === true);
    this.#options.onAudit({ actor, action: `drain worker ${workerId}`, before, after: admission, outcome });
  }
}

/** @returns false when the change stopped on its way: the leader goes on with it. */
async function hasEnded(change: ChangeFeed, feed: ChangeFeed, { signal }: Office): Promise<boolean> {
  try {
    for await (const progress of change.follow()) if (!change.isOver) feed.tell(progress);
    return true;
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    return false;
  }
}

const holdsNothing = (workerId: string): ChangeProgress =>
  ChangeProgress.create({
    state: ChangeProgress_State.STATE_NOT_NEEDED,
    message: `worker ${workerId} holds no experts`,
  });
