import { describe, expect, it } from 'vitest';
import { KeyAccount } from './key-account.js';
import { RateLimitError } from './rate-limit-error.js';

const MINUTE = 60_000;

function account(limits: Parameters<KeyAccount['setLimits']>[0]): KeyAccount {
  const made = new KeyAccount('alice');
  made.setLimits(limits, 0);
  return made;
}

function refusalAt(made: KeyAccount, nowMs: number): RateLimitError | undefined {
  try {
    made.open(nowMs);
    made.close();
    return undefined;
  } catch (thrown) {
    if (thrown instanceof RateLimitError) return thrown;
    throw thrown;
  }
}

describe('requests a minute', () => {
  it('come back one by one', () => {
    const alice = account({ requestsPerMinute: 2 });
    expect([refusalAt(alice, 0), refusalAt(alice, 0)]).toEqual([undefined, undefined]);
    expect(refusalAt(alice, 0)).toMatchObject({ code: 'resource_exhausted', retryAfterMs: MINUTE / 2 });
    expect(refusalAt(alice, MINUTE / 2)).toBeUndefined();
    expect(refusalAt(alice, MINUTE / 2)).toBeDefined();
    expect(alice.requestState(10 * MINUTE)).toEqual({ limit: 2, remaining: 2, fullInMs: 0 });
  });
});

describe('tokens a minute', () => {
  it('may be overdrawn by what runs, and are then waited for', () => {
    const alice = account({ tokensPerMinute: 100 });
    expect(refusalAt(alice, 0)).toBeUndefined();
    alice.charge(300, 0);
    expect(refusalAt(alice, MINUTE)).toBeDefined();
    expect(refusalAt(alice, 2.1 * MINUTE)).toBeUndefined();
    expect(alice.tokenState(0)).toMatchObject({ limit: 100, remaining: 0 });
  });
});

describe('limits that change', () => {
  it('begin anew, and others go on', () => {
    const alice = account({ requestsPerMinute: 1, tokensPerMinute: 10 });
    alice.open(0);
    alice.charge(10, 0);
    alice.setLimits({ requestsPerMinute: 5, tokensPerMinute: 10 }, 0);
    expect(alice.requestState(0)?.remaining).toBe(5);
    expect(alice.tokenState(0)?.remaining).toBe(0);
  });
});

it('gives places back', () => {
  const alice = account({ concurrentRequests: 1 });
  alice.open(0);
  expect(refusalAt(alice, 0)).toBeDefined();
  alice.close();
  expect(refusalAt(alice, 0)).toBeUndefined();
});
