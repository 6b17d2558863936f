import { type PlacementDocument, type PlacementInForce } from '@expertmesh/shared/cluster/placement-document';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ChangeProgress_State } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type Office } from '../leading/leadership.js';
import { type PlacementStore } from '../placement/placement-store.js';
import { ChangeFeed } from './change-feed.js';
import { plannedProgress, requireTakers, requireUnchanged, type ChangeOrder } from './change-order.js';
import { layerSwitches } from './layer-switch.js';
import { Mover, type MoverWorld } from './mover.js';

export interface ChangesOptions {
  readonly store: PlacementStore;
  readonly storeId: string;
  readonly world: Omit<MoverWorld, 'writeInForce' | 'writeRemainder'>;
  readonly expertBytes: number;
  readonly moveBytesPerSecond: number | undefined;
  /** Why a worker cannot be given experts; undefined when it can. */
  readonly cannotTake: (workerId: string) => string | undefined;
  readonly onAudit: (entry: AuditEntry) => void;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Wall clock, for history. */
  readonly wallMs: () => number;
}

export interface AuditEntry {
  readonly actor: string;
  readonly action: string;
  readonly before: string;
  readonly after: string;
  readonly outcome: string;
}

/** Changes of placement, one at a time. All methods act in office. */
export class Changes {
  readonly #options: ChangesOptions;
  #running: ChangeFeed | undefined;
  #lastEndedMs = -Infinity;
  #numMoves = 0;

  constructor(options: ChangesOptions) {
    this.#options = options;
  }

  /** undefined when none is under way. */
  get running(): ChangeFeed | undefined {
    return this.#running;
  }

  /** Of the change under way, also when nobody goes on with it yet. */
  get toVersion(): number | undefined {
    return this.#running?.latest.toVersion ?? this.#options.store.inForce?.change?.toVersion;
  }

  /** Whether a change could start now: from this version, where one is named. */
  isFree(fromVersion?: number): boolean {
    const { inForce } = this.#options.store;
    if (this.#running !== undefined || inForce?.change !== undefined) return false;
    return fromVersion === undefined || fromVersion === inForce?.version;
  }

  /** On the clock; -Infinity before the first. */
  get lastEndedMs(): number {
    return this.#lastEndedMs;
  }

  /** Replicas that were loaded and taken into use since the start of the process. */
  get numMoves(): number {
    return this.#numMoves;
  }

  /** Puts a placement in force where there is none: there is nothing to move. */
  async begin(order: Omit<ChangeOrder, 'expectedVersion'>, office: Office): Promise<void> {
    const document = await this.#writeDocument(order, office);
    const { version } = document.placement;
    await this.#options.store.writeInForce({ formatVersion: 1, epoch: office.epoch, version });
    this.#audit(order, 0, version, 'done');
  }

  /**
   * Resolves when the change is under way; the feed tells how it goes.
   *
   * @throws ExpertmeshError `failed_precondition` for a stale version, another change under way, or a worker that can
   * be given nothing; as   PlacementStore for writes.
   */
  async start(order: ChangeOrder, office: Office): Promise<ChangeFeed> {
    const { cannotTake, expertBytes } = this.#options;
    const { inForce, from } = this.#requireInForce();
    requireUnchanged(inForce, this.#running !== undefined, order);
    requireTakers(from, order.placement, (workerId) =>
      order.returning?.has(workerId) === true ? undefined : cannotTake(workerId),
    );
    const feed = new ChangeFeed(plannedProgress(from, order.placement, [], expertBytes));
    this.#running = feed;
    try {
      if (layerSwitches(from, order.placement).length === 0) return this.#notNeeded(feed);
      const { store } = this.#options;
      const { placement: to } = await this.#writeDocument(order, office);
      feed.tell({ toVersion: to.version });
      const change = { toVersion: to.version, doneLayers: [] };
      await store.writeInForce({ formatVersion: 1, epoch: office.epoch, version: from.version, change });
      void this.#run(from, to, [], order, feed, office);
      return feed;
    } catch (thrown) {
      this.#running = undefined;
      throw thrown;
    }
  }

  /**
   * Goes on with a change that another leader had begun: forward where its document is known, else back at once, of
   * which there is no feed.
   */
  async resume(office: Office): Promise<ChangeFeed | undefined> {
    const { store } = this.#options;
    const { inForce } = store;
    if (inForce?.change === undefined || this.#running !== undefined) return undefined;
    const { change, version } = inForce;
    const [from, document] = [store.placement(version), store.document(change.toVersion)];
    if (from === undefined || document === undefined) {
      await store.writeInForce({ formatVersion: 1, epoch: office.epoch, version });
      return undefined;
    }
    const { expertBytes } = this.#options;
    const feed = new ChangeFeed(plannedProgress(from, document.placement, change.doneLayers, expertBytes));
    this.#running = feed;
    void this.#run(from, document.placement, change.doneLayers, document, feed, office);
    return feed;
  }

  // Never rejects.
  async #run(
    from: Placement,
    to: Placement,
    doneLayers: readonly number[],
    order: Omit<ChangeOrder, 'expectedVersion' | 'placement'>,
    feed: ChangeFeed,
    office: Office,
  ): Promise<void> {
    const { world, clock, logger } = this.#options;
    const mover = this.#mover(order, office);
    logger.info({ from: from.version, to: to.version, reason: order.reason }, 'the placement changes');
    try {
      await mover.run({ from, to, doneLayers }, feed, office.signal);
      const isDone = feed.latest.state === ChangeProgress_State.STATE_DONE;
      this.#audit(order, from.version, to.version, isDone ? 'done' : `rolled back: ${feed.latest.message}`);
      logger.info(
        { from: from.version, to: to.version, outcome: feed.latest.message },
        'the change of placement ended',
      );
    } catch (thrown) {
      world.setExtra(new Map());
      const { message } = ExpertmeshError.from(thrown);
      const because = office.signal.aborted ? 'this coordinator leads no longer' : 'the change was interrupted';
      feed.fail(new ExpertmeshError('unavailable', `${because} (${message}): the leader goes on with it`));
      logger.warn({ reason: message }, 'the change of placement is left to whoever leads');
    } finally {
      this.#lastEndedMs = clock.nowMs();
      this.#running = undefined;
    }
  }

  #mover(order: Omit<ChangeOrder, 'expectedVersion' | 'placement'>, office: Office): Mover {
    const { world, store, expertBytes, moveBytesPerSecond, clock, logger } = this.#options;
    return new Mover({
      world: {
        ...world,
        writeInForce: (inForce) => store.writeInForce({ ...inForce, epoch: office.epoch }),
        writeRemainder: async (placement, reason) =>
          (await this.#writeDocument({ ...order, reason, placement }, office)).placement,
      },
      expertBytes,
      bytesPerSecond: moveBytesPerSecond,
      onMoved: (numReplicas) => {
        this.#numMoves += numReplicas;
      },
      clock,
      logger,
    });
  }

  #requireInForce(): { readonly inForce: PlacementInForce; readonly from: Placement } {
    const { inForce } = this.#options.store;
    const from = inForce && this.#options.store.placement(inForce.version);
    if (inForce !== undefined && from !== undefined) return { inForce, from };
    throw new ExpertmeshError('failed_precondition', 'no placement is in force yet: try again');
  }

  async #writeDocument(order: Omit<ChangeOrder, 'expectedVersion'>, office: Office): Promise<PlacementDocument> {
    const { store, storeId, wallMs } = this.#options;
    const { policy, actor, reason, redundantExperts, survive, placement } = order;
    const document: PlacementDocument = {
      formatVersion: 1,
      storeId,
      epoch: office.epoch,
      policy,
      actor,
      reason,
      createdMs: wallMs(),
      redundantExperts,
      survive,
      placement: { ...placement, version: store.nextVersion },
    };
    await store.writeDocument(document);
    return document;
  }

  #notNeeded(feed: ChangeFeed): ChangeFeed {
    this.#running = undefined;
    feed.tell({ state: ChangeProgress_State.STATE_NOT_NEEDED, message: 'every expert is where it should be' });
    return feed;
  }

  #audit(
    { actor, policy, reason }: Pick<ChangeOrder, 'actor' | 'policy' | 'reason'>,
    before: number,
    after: number,
    outcome: string,
  ): void {
    const action = `placement by ${policy}: ${reason}`;
    this.#options.onAudit({
      actor,
      action,
      before: `version ${String(before)}`,
      after: `version ${String(after)}`,
      outcome,
    });
  }
}
