import { ExpertmeshError, type ErrorCode } from '@expertmesh/shared/errors/expertmesh-error';
import { ChangeProgress, ChangeProgress_State as State } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { describe, expect, it } from 'vitest';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { ChangeFeed } from '../change/change-feed.js';
import { RetryBackoff } from './retry-backoff.js';

function setUp() {
  const clock = new DrivenClock();
  const backoff = new RetryBackoff({ clock, firstMs: 5_000, longestMs: 20_000 });
  const begin = async (situation: string): Promise<ChangeFeed> => {
    const feed = new ChangeFeed(ChangeProgress.create());
    await backoff.attempt(situation, () => Promise.resolve(feed));
    expect(backoff.isDue(situation)).toBe(false);
    return feed;
  };
  const attempt = async (situation: string, state: State): Promise<void> => {
    (await begin(situation)).tell({ state });
  };
  const failToBegin = async (situation: string, code: ErrorCode): Promise<void> => {
    const error = new ExpertmeshError(code, 'it cannot begin');
    await expect(backoff.attempt(situation, () => Promise.reject(error))).rejects.toBe(error);
  };
  /** Until the next attempt, to the second. */
  const waitedMs = (situation: string): number => {
    const startMs = clock.nowMs();
    while (!backoff.isDue(situation)) clock.advance(1_000);
    return clock.nowMs() - startMs;
  };
  return { backoff, begin, attempt, failToBegin, waitedMs };
}

describe('RetryBackoff', () => {
  it('waits twice as long after each change that was taken back, up to a limit, else as at first', async () => {
    const { attempt, waitedMs } = setUp();
    expect(waitedMs('a is dead')).toBe(0);
    for (const ms of [5_000, 10_000, 20_000, 20_000]) {
      await attempt('a is dead', State.STATE_ROLLED_BACK);
      expect(waitedMs('a is dead')).toBe(ms);
    }
    await attempt('a is dead', State.STATE_DONE);
    expect(waitedMs('a is dead')).toBe(0);
    await attempt('a is dead', State.STATE_ROLLED_BACK);
    expect(waitedMs('a is dead')).toBe(5_000);
  });

  it('waits no longer than at first in another situation, and as long as before in one that comes again', async () => {
    const { attempt, waitedMs } = setUp();
    const waited: number[] = [];
    for (const situation of ['beside b', 'beside b, c', 'beside b', 'beside b, c', 'beside b', 'beside b, c']) {
      await attempt(situation, State.STATE_ROLLED_BACK);
      waited.push(waitedMs(situation));
    }
    expect(waited).toEqual([5_000, 5_000, 10_000, 10_000, 20_000, 20_000]);
  });

  it('waits longer each time when no plan can be made, and not when it only came at the wrong moment', async () => {
    const { failToBegin, waitedMs } = setUp();
    const waited: number[] = [];
    for (const code of ['resource_exhausted', 'resource_exhausted', 'failed_precondition', 'unavailable'] as const) {
      await failToBegin('a is dead', code);
      waited.push(waitedMs('a is dead'));
    }
    expect(waited).toEqual([5_000, 10_000, 10_000, 10_000]);
  });

  it('waits for a change that is being planned, and for nothing where none was worth it', async () => {
    const { backoff, waitedMs } = setUp();
    let end = (): void => undefined;
    const planned = new Promise<undefined>((resolve) => {
      end = () => {
        resolve(undefined);
      };
    });
    const attempt = backoff.attempt('the load is uneven', () => planned);
    expect(backoff.isDue('the load is uneven')).toBe(false);
    end();
    await attempt;
    expect(waitedMs('the load is uneven')).toBe(0);
  });

  it('takes no interrupted change for a success, and counts what it ends with when it goes on', async () => {
    const { backoff, begin, attempt, waitedMs } = setUp();
    await attempt('a is dead', State.STATE_ROLLED_BACK);
    waitedMs('a is dead');
    const interrupted = await begin('a is dead');
    interrupted.fail(new Error('it was interrupted'));
    expect(waitedMs('a is dead')).toBe(0);
    const resumed = new ChangeFeed(ChangeProgress.create());
    backoff.resumed(resumed);
    expect(backoff.isDue('a is dead')).toBe(false);
    resumed.tell({ state: State.STATE_ROLLED_BACK });
    expect(waitedMs('a is dead')).toBe(10_000);
  });
});
