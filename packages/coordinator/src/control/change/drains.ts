import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ChangeProgress, ChangeProgress_State, type WorkerCommand } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type Office } from '../leading/leadership.js';
import { type Planner } from '../planning/planner.js';
import { admit } from '../leading/admit.js';
import { type Admission, type WorkerAdmission } from '../leading/worker-admission.js';
import { ChangeFeed } from './change-feed.js';
import { orderOf } from './change-order.js';
import { type AuditEntry, type Changes } from './changes.js';
import { pause } from './poll-until.js';

export interface DrainsOptions {
  readonly admission: Pick<WorkerAdmission, 'of' | 'set' | 'numReplicas' | 'isUntilRestart'>;
  readonly planner: Pick<Planner, 'make'>;
  readonly changes: Pick<Changes, 'isFree' | 'toVersion' | 'start'>;
  readonly onAudit: (entry: AuditEntry) => void;
  readonly clock: Clock;
}

/** For the changes that are under way before a drain. */
const WAIT_LIMIT_MS = 600_000;
const POLL_INTERVAL_MS = 100;

/**
 * Drains that operators have asked for. Each goes on to its end whether who asked for it stays or not, and waits for
 * the change under way and for the drains before it: workers that leave together are emptied one after the other, often
 * by the same change.
 */
export class Drains {
  readonly #options: DrainsOptions;
  readonly #underWay = new Map<string, ChangeFeed>();
  #lastTurn: Promise<unknown> = Promise.resolve();

  constructor(options: DrainsOptions) {
    this.#options = options;
  }

  /** Workers whose drain is seen to, or waits for its turn: the leader need not. */
  get underWay(): ReadonlySet<string> {
    return new Set(this.#underWay.keys());
  }

  /**
   * The feed tells how it goes: `not_needed` where the worker holds nothing, or nothing any more when its turn comes.
   * It fails as Planner.make and Changes.start, with `failed_precondition` where other changes take too long or an
   * operator says something else of the worker meanwhile, and when the office ends. What fails or is taken back leaves
   * the worker admitted as before.
   *
   * A worker is drained once: whoever asks again follows the same drain, and may make it one for good. Throws as
   * WorkerAdmission.set then.
   */
  async begin(command: WorkerCommand, office: Office): Promise<ChangeFeed> {
    const { workerId } = command;
    const known = this.#underWay.get(workerId);
    if (known !== undefined) {
      const isDraining = this.#options.admission.of(workerId) === 'draining';
      if (!isDraining || command.untilRestart !== true) await this.#admit(command, 'draining', 'begun');
      return known;
    }
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
    let last: ChangeProgress;
    try {
      last = await this.#inTurn(() => this.#empty(command, feed, office));
    } catch (thrown) {
      if (office.signal.aborted) throw thrown;
      const { code, message } = ExpertmeshError.from(thrown);
      const remark = await this.#end(command, restored, `failed: ${message}`);
      throw new ExpertmeshError(code, `${message}${remark}`, { cause: thrown });
    }
    const isBack = last.state === ChangeProgress_State.STATE_ROLLED_BACK;
    const remark = await (isBack
      ? this.#end(command, restored, `rolled back: ${last.message}`)
      : this.#end(command, 'drained', 'done'));
    return { ...last, message: `${last.message}${remark}` };
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
      this.#requireDraining(workerId);
      if (admission.numReplicas(workerId) === 0) return holdsNothing(workerId);
      const made = await planner.make({ policy: 'balanced', leaving: new Set([workerId]) }, office.signal);
      this.#requireDraining(workerId);
      try {
        const order = orderOf(made, { policy: 'balanced', actor, reason: `worker ${workerId} is drained` });
        const change = await changes.start(order, office);
        if (await hasEnded(change, feed, office)) return change.latest;
      } catch (thrown) {
        // The cluster is another by now: a change came first, or a worker that was given experts takes none any more.
        if (ExpertmeshError.from(thrown).code !== 'failed_precondition' || clock.nowMs() >= endMs) throw thrown;
        await pause(POLL_INTERVAL_MS, clock, office.signal);
      }
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
      const message = `waits for ${other}`;
      if (feed.latest.message !== message) feed.tell({ message });
      await pause(POLL_INTERVAL_MS, clock, signal);
    }
  }

  #requireDraining(workerId: string): void {
    const now = this.#options.admission.of(workerId);
    if (now !== 'draining')
      throw new ExpertmeshError('failed_precondition', `worker ${workerId} is ${now} by now: the drain was given up`);
  }

  /**
   * An operator may have said something else of the worker meanwhile, which is left as it is.
   *
   * @returns what there is to add where the end could not be written
   */
  async #end({ workerId, actor }: WorkerCommand, admission: Admission, outcome: string): Promise<string> {
    const { admission: admissions, onAudit } = this.#options;
    const [now, untilRestart] = [admissions.of(workerId), admissions.isUntilRestart(workerId)];
    try {
      if (now === 'draining') await this.#admit({ workerId, actor, untilRestart }, admission, outcome);
      else onAudit({ actor, action: actionOf({ workerId }), before: now, after: now, outcome });
      return '';
    } catch (thrown) {
      return (
        `; worker ${workerId} is still draining, and the leader sees to it ` +
        `(${ExpertmeshError.from(thrown).message})`
      );
    }
  }

  async #admit(command: WorkerCommand, after: Admission, outcome: string): Promise<void> {
    const isUntilRestart = (after === 'draining' || after === 'drained') && command.untilRestart === true;
    await admit(this.#options, command, after, { action: actionOf(command), outcome, isUntilRestart });
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

const actionOf = ({ workerId }: Pick<WorkerCommand, 'workerId'>): string => `drain worker ${workerId}`;

const holdsNothing = (workerId: string): ChangeProgress =>
  ChangeProgress.create({
    state: ChangeProgress_State.STATE_NOT_NEEDED,
    message: `worker ${workerId} holds no experts`,
  });
