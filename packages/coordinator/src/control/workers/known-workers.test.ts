import { WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { describe, expect, it } from 'vitest';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { KnownWorkers } from './known-workers.js';
import { differNotably, measuredCosts } from './measured-costs.js';
import { WorkerRates } from './worker-rates.js';

describe('KnownWorkers', () => {
  it('follow each worker from the first time that somebody names it', () => {
    const clock = new DrivenClock();
    const known = new KnownWorkers(clock);
    known.expect(['a']);
    expect(known.get('a')).toMatchObject({ state: 'away', reason: 'it has not answered yet', stateSinceMs: 0 });
    clock.advance(5);
    known.apply({ type: 'up', workerId: 'a', dataAddress: 'a:1', bootId: 'boot-1' });
    const stats = WorkerStats.create({ shards: [{ layerIndex: 2, expertIds: [1, 0] }] });
    known.apply({ type: 'stats', workerId: 'a', stats });
    expect(known.get('a')).toEqual({
      workerId: 'a',
      dataAddress: 'a:1',
      state: 'up',
      stateSinceMs: 5,
      reason: '',
      stats,
      holds: [{ layerIndex: 2, expertIds: [0, 1] }],
    });
  });

  it('count a worker as away from the first failure on, with the newest reason, and as holding nothing', () => {
    const clock = new DrivenClock();
    const known = new KnownWorkers(clock);
    known.apply({ type: 'up', workerId: 'a', dataAddress: 'a:1', bootId: 'boot-1' });
    clock.advance(10);
    known.apply({ type: 'down', workerId: 'a', reason: 'no answer' });
    clock.advance(10);
    known.apply({ type: 'down', workerId: 'a', reason: 'refused' });
    expect(known.get('a')).toMatchObject({ state: 'away', reason: 'refused', stateSinceMs: 10, holds: [] });
    known.apply({ type: 'forgotten', workerId: 'a' });
    expect(known.list()).toEqual([]);
  });
});

describe('WorkerRates', () => {
  it('say how much of its time a worker computes, since it was started', () => {
    const rates = new WorkerRates();
    const add = (bootId: string, uptimeMs: number, computeUs: number): void => {
      rates.add('a', WorkerStats.create({ bootId, uptimeMs, computeUs }));
    };
    expect(rates.utilisation('a')).toBe(0);
    add('boot-1', 1_000, 100_000);
    add('boot-1', 2_000, 600_000);
    expect(rates.utilisation('a')).toBe(0.5);
    add('boot-2', 100, 0);
    expect(rates.utilisation('a')).toBe(0);
  });
});

describe('measured costs', () => {
  const worker = (secondsPerActiveExpert: number) => ({
    workerId: 'a',
    state: 'up' as const,
    stateSinceMs: 0,
    reason: '',
    holds: [],
    stats: WorkerStats.fromPartial({
      capacity: { secondsPerActiveExpert, secondsPerToken: secondsPerActiveExpert / 4 },
    }),
  });

  it('are equal for workers of a kind whose figures are near each other, so that they get equal shares', () => {
    const workers = [10e-6, 11e-6, 12e-6, 40e-6].map((seconds, w) => ({
      ...worker(seconds),
      workerId: `w${String(w)}`,
    }));
    const costs = [...measuredCosts(workers).values()].map((cost) => cost.secondsPerActiveExpert);
    expect(costs).toEqual([12e-6, 12e-6, 12e-6, 40e-6]);
  });

  it('are told anew when they have changed by much', () => {
    const told = measuredCosts([worker(10e-6)]);
    expect(told.get('a')).toEqual({ secondsPerActiveExpert: 10e-6, secondsPerToken: 2.5e-6 });
    expect(differNotably(told, measuredCosts([worker(12e-6)]))).toBe(false);
    expect(differNotably(told, measuredCosts([worker(14e-6)]))).toBe(true);
    expect(differNotably(new Map(), told)).toBe(true);
    // A process that was started again has measured nothing yet.
    expect(differNotably(told, measuredCosts([worker(0)]))).toBe(true);
  });
});
