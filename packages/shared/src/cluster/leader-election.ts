import { type ControlPlane, type KeyValueEntry } from '../control-plane/control-plane.js';
import { type Logger } from '../process/logger.js';
import { systemClock, type Clock } from '../rpc/clock.js';
import { nextEpoch } from './epoch-series.js';
import { LEADER_KEY } from './cluster-keys.js';
import {
  initialLeaderState,
  LEASE_MS,
  nextDueMs,
  TENURE_MS,
  transition,
  type LeaderAction,
  type LeaderCall,
  type LeaderEntry,
  type LeaderEvent,
  type LeaderState,
  type LeaderTerms,
} from './leader-state.js';
import { encodeLeaderRecord, parseLeaderRecord, type LeaderRecord } from './member-record.js';

export interface LeaderElectionOptions {
  readonly controlPlane: Pick<ControlPlane, 'leader' | 'onState'>;
  readonly coordinatorId: string;
  readonly bootId: string;
  /**
   * The highest epoch that this process has heard of: from workers, the placement in force, the state on disk. 0 for
   * none.
   */
  readonly knownEpoch: () => number;
  /** As LeaderTerms.nextEpoch (nextEpoch of epoch-series.ts, for this process). */
  readonly epochAbove?: (known: number) => number;
  /** This process leads from now on, under `epoch`. */
  readonly onElected: (epoch: number) => void;
  /** It leads no longer, and must stop acting at once. Also before it is elected again under another epoch. */
  readonly onDeposed: (reason: string) => void;
  readonly logger: Logger;
  readonly clock?: Clock;
}

/**
 * Carries out what the state machine of leader-state decides: finds the one coordinator that leads, and says so here
 * when it is this one.
 */
export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #clock: Clock;
  readonly #stopListening: readonly (() => void)[];
  #state: LeaderState;
  #cancelTimer: () => void = () => undefined;
  #calling: Promise<void> = Promise.resolve();
  #isClosed = false;

  /** Begins at once; hooks are called later, never from within the constructor. */
  constructor(options: LeaderElectionOptions) {
    const { controlPlane, coordinatorId, bootId } = options;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#state = initialLeaderState({ coordinatorId, bootId });
    const onChange = (revision?: number): void => {
      // What this process has written itself is no news.
      if (revision === undefined || revision !== this.#state.seen?.entry?.revision)
        this.#on({ type: 'due', isStale: true });
    };
    this.#stopListening = [
      controlPlane.onState((state) => {
        if (state === 'connected') this.#on({ type: 'connected' });
      }),
      controlPlane.leader.watch({
        onEntry: ({ key, revision }) => {
          if (key === LEADER_KEY) onChange(revision);
        },
        onDelete: (key) => {
          if (key === LEADER_KEY) onChange();
        },
      }),
    ];
    this.#on({ type: 'due', isStale: true });
  }

  /** While this process leads and may act; undefined otherwise. Ask again after every await. */
  get epoch(): number | undefined {
    const { office } = this.#state;
    // The timer that ends the tenure may be late in a busy process.
    return office !== undefined && this.#clock.nowMs() - office.renewedMs < TENURE_MS ? office.epoch : undefined;
  }

  /**
   * Who leads by all that this process knows, itself included; undefined while nobody does, or has been heard to for
   * the whole lease.
   */
  get leader(): LeaderRecord | undefined {
    const { seen } = this.#state;
    if (seen === undefined || this.#clock.nowMs() - seen.sinceMs >= LEASE_MS) return undefined;
    const record = seen.entry?.record;
    if (record === undefined || record.hasResigned) return undefined;
    return record.bootId === this.#options.bootId && this.epoch === undefined ? undefined : record;
  }

  /** Resigns if it leads (onDeposed is called), so that another takes over at once. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelTimer();
    for (const stop of this.#stopListening) stop();
    const wasLeading = this.#state.office !== undefined;
    this.#state = { ...this.#state, office: undefined };
    if (wasLeading) this.#tell(() => this.#options.onDeposed('this coordinator ends'));
    // It may be a renewal or a claim that is under way.
    await this.#calling;
    await this.#resign();
  }

  #on(event: LeaderEvent): void {
    const nowMs = this.#clock.nowMs();
    const [next, actions] = transition(this.#state, event, { nowMs, ...this.#terms() });
    this.#state = next;
    if (this.#isClosed) return;
    for (const action of actions) this.#act(action);
    this.#cancelTimer();
    const dueMs = nextDueMs(this.#state);
    if (dueMs === undefined) return;
    this.#cancelTimer = this.#clock.after(Math.max(0, dueMs - nowMs), () => {
      this.#on({ type: 'due', isStale: false });
    });
  }

  #terms(): Pick<LeaderTerms, 'knownEpoch' | 'nextEpoch'> {
    const { knownEpoch, bootId, epochAbove = (known: number) => nextEpoch(known, bootId) } = this.#options;
    return { knownEpoch: knownEpoch(), nextEpoch: epochAbove };
  }

  #act(action: LeaderAction): void {
    const { onElected, onDeposed, coordinatorId, logger } = this.#options;
    switch (action.type) {
      case 'call':
        this.#calling = this.#call(action.call);
        return;
      case 'elected':
        logger.info({ epoch: action.epoch, coordinatorId }, 'this coordinator leads');
        this.#tell(() => onElected(action.epoch));
        return;
      case 'deposed':
        logger.warn({ reason: action.reason, coordinatorId }, 'this coordinator leads no longer');
        this.#tell(() => onDeposed(action.reason));
    }
  }

  #tell(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#options.logger.error({ err: error }, 'a listener to the election has failed');
    }
  }

  async #call(call: LeaderCall): Promise<void> {
    let event: LeaderEvent;
    try {
      event = await this.#answerOf(call);
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'no answer about the leader');
      event = { type: 'failed' };
    }
    this.#on(event);
  }

  async #answerOf(call: LeaderCall): Promise<LeaderEvent> {
    const { leader } = this.#options.controlPlane;
    if (call.type === 'read') return { type: 'read', entry: entryOf(await leader.get(LEADER_KEY)) };
    const value = encodeLeaderRecord(call.record);
    const revision =
      call.revision === undefined
        ? await leader.create(LEADER_KEY, value)
        : await leader.update(LEADER_KEY, value, call.revision);
    return revision === undefined ? { type: 'refused' } : { type: 'written', revision };
  }

  async #resign(): Promise<void> {
    const { controlPlane, bootId, logger } = this.#options;
    const entry = this.#state.seen?.entry;
    if (entry?.record?.bootId !== bootId) return;
    const resignation = encodeLeaderRecord({ ...entry.record, hasResigned: true });
    await controlPlane.leader.update(LEADER_KEY, resignation, entry.revision).catch((error: unknown) => {
      logger.warn({ err: error }, 'could not resign: another coordinator takes over when the lease is over');
    });
  }
}

function entryOf(entry: KeyValueEntry | undefined): LeaderEntry | undefined {
  if (entry === undefined) return undefined;
  try {
    return { revision: entry.revision, record: parseLeaderRecord(entry.value) };
  } catch {
    // Broken, or of another release: whoever wrote it leads for as long as it changes.
    return { revision: entry.revision, record: undefined };
  }
}
