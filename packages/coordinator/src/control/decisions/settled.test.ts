import { describe, expect, it } from 'vitest';
import { toShards } from '../placement/shards.js';
import { type KnownWorker } from '../workers/known-workers.js';
import { whyUnsettled } from './settled.js';

const shards = toShards([[0, [1, 2]]]);
const worker = (changed: Partial<KnownWorker>): KnownWorker => ({
  workerId: 'a',
  state: 'up',
  stateSinceMs: 0,
  reason: '',
  holds: [],
  ...changed,
});
const why = (changed: Partial<KnownWorker>, { wanted = shards, hasRefused = false, nowMs = 1_000 } = {}) =>
  whyUnsettled({ workers: [worker(changed)], wanted: () => wanted, hasRefused: () => hasRefused, nowMs });

describe('whyUnsettled', () => {
  it('waits for a worker that is up to load what calls are routed to it for, or to refuse it', () => {
    expect(why({})).toBe('worker a has not loaded yet what calls are routed to it for');
    expect(why({ holds: toShards([[0, [1, 2, 3]]]) })).toBeUndefined();
    expect(why({}, { hasRefused: true })).toBeUndefined();
    expect(why({}, { wanted: [] })).toBeUndefined();
  });

  it('waits no longer than two minutes for a worker that neither loads nor refuses', () => {
    expect(why({}, { nowMs: 119_999 })).toBeDefined();
    expect(why({}, { nowMs: 120_000 })).toBeUndefined();
    expect(why({ stateSinceMs: 60_000 }, { nowMs: 120_000 })).toBeDefined();
  });

  it('waits some seconds for a worker that is not there yet, if any call needs it', () => {
    expect(why({ state: 'away' })).toBe('worker a has not answered yet');
    expect(why({ state: 'away' }, { wanted: [] })).toBeUndefined();
    expect(why({ state: 'away' }, { nowMs: 10_000 })).toBeUndefined();
  });
});
