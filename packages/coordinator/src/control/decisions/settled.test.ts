import { describe, expect, it } from 'vitest';
import { toShards } from '../placement/shards.js';
import { type KnownWorker } from '../workers/known-workers.js';
import { hasSettled } from './settled.js';

const shards = toShards([[0, [1, 2]]]);
const worker = (changed: Partial<KnownWorker>): KnownWorker => ({
  workerId: 'a',
  state: 'up',
  stateSinceMs: 0,
  reason: '',
  holds: [],
  ...changed,
});
const settled = (changed: Partial<KnownWorker>, { wanted = shards, hasRefused = false, nowMs = 1_000 } = {}): boolean =>
  hasSettled({ workers: [worker(changed)], wanted: () => wanted, hasRefused: () => hasRefused, nowMs });

describe('hasSettled', () => {
  it('waits for a worker that is up to load what calls are routed to it for, or to refuse it', () => {
    expect(settled({})).toBe(false);
    expect(settled({ holds: toShards([[0, [1, 2, 3]]]) })).toBe(true);
    expect(settled({}, { hasRefused: true })).toBe(true);
    expect(settled({}, { wanted: [] })).toBe(true);
  });

  it('waits some seconds for a worker that is not there yet, if any call needs it', () => {
    expect(settled({ state: 'away' })).toBe(false);
    expect(settled({ state: 'away' }, { wanted: [] })).toBe(true);
    expect(settled({ state: 'away' }, { nowMs: 10_000 })).toBe(true);
  });
});
