import { ChangeProgress, ChangeProgress_State as State } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { describe, expect, it } from 'vitest';
import { DrivenClock } from '../../../../test/kit/driven-clock.js';
import { ChangeFeed } from './change/change-feed.js';
import { RetryBackoff } from './retry-backoff.js';

function setUp() {
  const clock = new DrivenClock();
  const backoff = new RetryBackoff({ clock, firstMs: 5_000, longestMs: 20_000 });
  const attempt = (situation: string, state: State): void => {
    const feed = new ChangeFeed(ChangeProgress.create());
    backoff.follow(feed, situation);
    expect(backoff.isDue(situation)).toBe(false);
    feed.tell({ state });
  };
  /** Until the next attempt, to the second. */
  const waitedMs = (situation: string): number => {
    const startMs = clock.nowMs();
    while (!backoff.isDue(situation)) clock.advance(1_000);
    return clock.nowMs() - startMs;
  };
  return { attempt, waitedMs };
}

describe('RetryBackoff', () => {
  it('waits twice as long after each change that was taken back, up to a limit, and starts anew after one that was not', () => {
    const { attempt, waitedMs } = setUp();
    expect(waitedMs('a is dead')).toBe(0);
    const waited = [1, 2, 3, 4].map(() => {
      attempt('a is dead', State.STATE_ROLLED_BACK);
      return waitedMs('a is dead');
    });
    expect(waited).toEqual([5_000, 10_000, 20_000, 20_000]);
    attempt('a is dead', State.STATE_DONE);
    expect(waitedMs('a is dead')).toBe(0);
    attempt('a is dead', State.STATE_ROLLED_BACK);
    expect(waitedMs('a is dead')).toBe(5_000);
  });

  it('waits no longer than the first time in another situation', () => {
    const { attempt, waitedMs } = setUp();
    attempt('a is dead', State.STATE_ROLLED_BACK);
    waitedMs('a is dead');
    attempt('a is dead', State.STATE_ROLLED_BACK);
    expect(waitedMs('a and b are dead')).toBe(5_000);
  });
});
