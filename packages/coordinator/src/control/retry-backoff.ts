import { ChangeProgress_State } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type ChangeFeed } from './change/change-feed.js';

export interface RetryBackoffOptions {
  readonly clock: Clock;
  /** After the first change that was taken back; twice as long after each further one. */
  readonly firstMs: number;
  readonly longestMs: number;
}

/** Puts off the changes that a leader makes by itself when one was taken back: each of them loads experts, and leaves a document and a record. */
export class RetryBackoff {
  readonly #options: RetryBackoffOptions;
  #attempt: { readonly feed: ChangeFeed; readonly situation: string } | undefined;
  #failed = { situation: '', numInARow: 0, atMs: -Infinity };

  constructor(options: RetryBackoffOptions) {
    this.#options = options;
  }

  /** To be told of every change that is tried. @param situation that it is to mend, as `isDue` will be asked with it. */
  follow(feed: ChangeFeed, situation: string): void {
    this.#attempt = { feed, situation };
  }

  /** Whether to try now; to be asked again and again. Another situation than that of the failure waits for no longer than after the first. */
  isDue(situation: string): boolean {
    this.#settle();
    const { clock, firstMs, longestMs } = this.#options;
    const { numInARow, atMs } = this.#failed;
    const numBefore = situation === this.#failed.situation ? Math.max(0, numInARow - 1) : 0;
    return this.#attempt === undefined && clock.nowMs() - atMs >= Math.min(longestMs, firstMs * 2 ** numBefore);
  }

  #settle(): void {
    if (this.#attempt?.feed.isOver !== true) return;
    const { feed, situation } = this.#attempt;
    this.#attempt = undefined;
    if (feed.latest.state !== ChangeProgress_State.STATE_ROLLED_BACK) {
      this.#failed = { situation: '', numInARow: 0, atMs: -Infinity };
      return;
    }
    const numInARow = situation === this.#failed.situation ? this.#failed.numInARow + 1 : 1;
    this.#failed = { situation, numInARow, atMs: this.#options.clock.nowMs() };
  }
}
