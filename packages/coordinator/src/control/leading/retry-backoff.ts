import { ExpertmeshError, type ErrorCode } from '@expertmesh/shared/errors/expertmesh-error';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type ChangeFeed } from '../change/change-feed.js';

export interface RetryBackoffOptions {
  readonly clock: Clock;
  /** After the first change that failed; twice as long after each further one. */
  readonly firstMs: number;
  readonly longestMs: number;
}

interface Attempt {
  readonly situation: string;
  /** undefined while it is planned. */
  readonly feed?: ChangeFeed;
}

interface Failures {
  readonly numCounted: number;
  readonly lastMs: number;
}

/**
 * Of a control plane that is away, of another change that came first, of an office that ended: waiting longer each time
 * would mend nothing.
 */
const PASSING: readonly ErrorCode[] = ['unavailable', 'deadline_exceeded', 'failed_precondition', 'cancelled'];

/**
 * Puts off the changes that a leader makes by itself when one could not be planned, or was taken back: each takes a
 * core or loads experts, and leaves a record. Failures are counted by situation, so that one that comes and goes is not
 * a new one each time.
 */
export class RetryBackoff {
  readonly #options: RetryBackoffOptions;
  #attempt: Attempt | undefined;
  readonly #failures = new Map<string, Failures>();

  constructor(options: RetryBackoffOptions) {
    this.#options = options;
  }

  /**
   * Begins a change, and follows it. Throws what `begin` throws, which counts as a failure.
   *
   * @param situation that it is to mend, as `isDue` was asked with it
   * @param begin resolves with undefined where no change is worth it
   */
  async attempt<Feed extends ChangeFeed | undefined>(situation: string, begin: () => Promise<Feed>): Promise<Feed> {
    this.#attempt = { situation };
    try {
      const feed = await begin();
      this.#attempt = feed && { situation, feed };
      return feed;
    } catch (thrown) {
      this.#attempt = undefined;
      this.#fail(situation, !PASSING.includes(ExpertmeshError.from(thrown).code));
      throw thrown;
    }
  }

  /** A change that was interrupted goes on: by what was attempted last, or before this leader. */
  resumed(feed: ChangeFeed): void {
    this.#attempt = { situation: this.#attempt?.situation ?? '', feed };
  }

  /**
   * Whether to try now; to be asked again and again. In a situation in which nothing has failed yet it waits for no
   * longer than after a first failure.
   */
  isDue(situation: string): boolean {
    this.#settle();
    const { clock, firstMs, longestMs } = this.#options;
    const sinceMs = (lastMs: number): number => clock.nowMs() - lastMs;
    if (this.#attempt !== undefined && this.#attempt.feed?.isOver !== true) return false;
    if ([...this.#failures.values()].some(({ lastMs }) => sinceMs(lastMs) < firstMs)) return false;
    const { numCounted, lastMs } = this.#failures.get(situation) ?? NONE;
    return sinceMs(lastMs) >= Math.min(longestMs, firstMs * 2 ** Math.max(0, numCounted - 1));
  }

  // A change that was interrupted has no outcome yet: what was counted stays, and it is remembered until it goes on.
  #settle(): void {
    if (this.#attempt?.feed === undefined) return;
    const { feed, situation } = this.#attempt;
    if (!feed.hasSucceeded && !feed.wasTakenBack) return;
    this.#attempt = undefined;
    if (feed.hasSucceeded) this.#failures.clear();
    else this.#fail(situation, true);
  }

  // Those of long ago are forgotten: they say nothing of now, and there may be ever more of them.
  #fail(situation: string, isCounted: boolean): void {
    const { clock, longestMs } = this.#options;
    const lastMs = clock.nowMs();
    for (const [other, failures] of this.#failures)
      if (lastMs - failures.lastMs > 2 * longestMs) this.#failures.delete(other);
    const { numCounted } = this.#failures.get(situation) ?? NONE;
    this.#failures.set(situation, { numCounted: numCounted + (isCounted ? 1 : 0), lastMs });
  }
}

const NONE: Failures = { numCounted: 0, lastMs: -Infinity };
