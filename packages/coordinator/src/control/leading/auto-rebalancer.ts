import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type LoadMonitor } from '../../balance/load-monitor.js';
import { type ChangeFeed } from '../change/change-feed.js';
import { LEADER_ACTOR, orderOf } from '../change/change-order.js';
import { type Changes } from '../change/changes.js';
import { gainOf, rebalanceReason, type RebalancePolicy } from '../decisions/auto-rebalance.js';
import { type Office } from './leadership.js';
import { type Planner } from '../planning/planner.js';
import { RetryBackoff } from './retry-backoff.js';

export interface AutoRebalancerOptions {
  readonly policy: RebalancePolicy;
  /** --balance-window-tokens */
  readonly minTokens: number;
  readonly monitor: Pick<LoadMonitor, 'onWindow' | 'balance' | 'tokensInWindow'>;
  readonly office: () => Office | undefined;
  readonly planner: Pick<Planner, 'make'>;
  readonly changes: Pick<Changes, 'lastEndedMs' | 'start'>;
  /** Whether nothing is under way, or waits, that comes first. */
  readonly mayChange: () => boolean;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Wall clock, for quiet hours. */
  readonly now: () => Date;
}

/**
 * A plan that was not worth it is made anew after this time: planning takes seconds of a core, and the load is another
 * by then.
 */
const PLAN_INTERVAL_MS = 10_000;
/** Between changes that are taken back one after the other. */
const LONGEST_RETRY_MS = 3_600_000;
const SITUATION = 'the load is uneven';

/** Moves experts by itself where the load has become uneven, after windows of the monitor, in office. */
export class AutoRebalancer {
  readonly #options: AutoRebalancerOptions;
  readonly #backoff: RetryBackoff;
  readonly #stopListening: () => void;
  #lastPlanMs = -Infinity;

  constructor(options: AutoRebalancerOptions) {
    this.#options = options;
    const { clock, policy } = options;
    const firstMs = Math.max(2 * policy.cooldownMs, PLAN_INTERVAL_MS);
    this.#backoff = new RetryBackoff({ clock, firstMs, longestMs: Math.max(firstMs, LONGEST_RETRY_MS) });
    this.#stopListening = options.monitor.onWindow(() => {
      void this.#look();
    });
  }

  close(): void {
    this.#stopListening();
  }

  // Never rejects.
  async #look(): Promise<void> {
    const { office, logger } = this.#options;
    const current = office();
    const reason = this.#reason();
    if (current === undefined || reason === undefined) return;
    try {
      await this.#backoff.attempt(SITUATION, () => this.#rebalance(reason, current));
    } catch (thrown) {
      logger.warn({ reason: ExpertmeshError.from(thrown).message }, 'the experts could not be rebalanced');
    } finally {
      this.#lastPlanMs = this.#options.clock.nowMs();
    }
  }

  #reason(): string | undefined {
    const { policy, minTokens, monitor, changes, mayChange, clock, now } = this.#options;
    if (!mayChange() || !this.#backoff.isDue(SITUATION)) return undefined;
    if (clock.nowMs() - this.#lastPlanMs < PLAN_INTERVAL_MS) return undefined;
    const today = now();
    return rebalanceReason(policy, {
      balance: monitor.balance('window'),
      tokensInWindow: monitor.tokensInWindow,
      minTokens,
      sinceLastMs: clock.nowMs() - changes.lastEndedMs,
      minuteOfDay: today.getHours() * 60 + today.getMinutes(),
    });
  }

  /** @returns undefined where nothing is to be moved. */
  async #rebalance(reason: string, office: Office): Promise<ChangeFeed | undefined> {
    const { planner, changes, mayChange, policy, logger } = this.#options;
    const made = await planner.make({ policy: 'balanced' }, office.signal);
    const gain = gainOf(made.before, made.after);
    if (gain < policy.minGain) {
      logger.info({ reason, gain }, 'no plan is so much better that experts should move');
      return undefined;
    }
    // A drain that was asked for meanwhile needs another plan.
    if (!mayChange()) return undefined;
    return changes.start(orderOf(made, { actor: LEADER_ACTOR, policy: 'balanced', reason }), office);
  }
}
