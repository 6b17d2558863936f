import { WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { createLogger } from '@expertmesh/shared/process/logger';
import { describe, expect, it } from 'vitest';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { type KnownWorker } from '../control/workers/known-workers.js';
import { ReadinessGate } from './readiness-gate.js';
import { ServingMonitor } from './serving-monitor.js';

/** One layer; a and b have an expert each, and both have the third. */
const placement: Placement = {
  version: 1,
  numExperts: 3,
  workerIds: ['a', 'b'],
  replicas: new Map([[0, [[0], [1], [0, 1]]]]),
};
const HELD: Readonly<Record<string, number[]>> = { a: [0, 2], b: [1, 2] };

const up = (workerId: string, expertIds = HELD[workerId] ?? []): KnownWorker => ({
  workerId,
  dataAddress: `${workerId}:9100`,
  state: 'up',
  stateSinceMs: 0,
  reason: '',
  stats: WorkerStats.create(),
  holds: expertIds.length === 0 ? [] : [{ layerIndex: 0, expertIds }],
});
const away = (workerId: string, reason: string): KnownWorker => ({
  workerId,
  state: 'away',
  stateSinceMs: 0,
  reason,
  holds: [],
});

/** The test decides how each canary ends. */
function setUp() {
  const clock = new DrivenClock();
  const gate = new ReadinessGate({ maxModelLen: 10, vocabSize: 10 }, 100);
  const canaries: { pass: () => void; fail: (error: Error) => void }[] = [];
  const monitor = new ServingMonitor({
    gate,
    logger: createLogger({ name: 'test', level: 'silent' }),
    clock,
  });
  const runCanary = (): Promise<void> => new Promise((pass, fail) => canaries.push({ pass, fail }));
  const settle = async (end: (canary: { pass: () => void; fail: (error: Error) => void }) => void): Promise<void> => {
    const canary = canaries.shift();
    if (canary === undefined) throw new Error('no canary is under way');
    end(canary);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const pass = (): Promise<void> =>
    settle((canary) => {
      canary.pass();
    });
  return { gate, monitor, runCanary, canaries, settle, pass, clock };
}

async function setUpReady() {
  const all = setUp();
  all.monitor.engineLoaded(all.runCanary);
  all.monitor.placementApplied(placement);
  all.monitor.workerChanged(up('a'));
  all.monitor.workerChanged(up('b'));
  await all.pass();
  expect(all.gate.notReadyBecause).toBeUndefined();
  return all;
}

describe('ServingMonitor', () => {
  it('says what is missing, step by step, and opens only when a canary has come through', async () => {
    const { gate, monitor, canaries, pass, runCanary } = setUp();
    monitor.engineLoading(3, 6);
    expect(gate.notReadyBecause).toBe('loading the dense weights (3 of 6 parts)');
    monitor.engineLoaded(runCanary);
    expect(gate.notReadyBecause).toBe('no placement yet');
    monitor.noPlacement('waiting for workers: 1 of 2 are up');
    expect(gate.notReadyBecause).toBe('waiting for workers: 1 of 2 are up');
    monitor.placementApplied(placement);
    expect(gate.notReadyBecause).toBe('worker a is not known yet');
    monitor.workerChanged(up('a', []));
    expect(gate.notReadyBecause).toBe('worker a has not been given its experts yet');
    monitor.workerLacks('a', 'is loading (1 of 4 layers)');
    expect(gate.notReadyBecause).toBe('worker a is loading (1 of 4 layers)');
    monitor.workerChanged(up('a'));
    monitor.workerChanged(away('b', 'refused'));
    expect(gate.notReadyBecause).toBe('worker b is away: refused');
    expect(canaries).toHaveLength(0);
    monitor.workerChanged(up('b'));
    expect(gate.notReadyBecause).toBe('waiting for the canary token');
    await pass();
    expect(gate.notReadyBecause).toBeUndefined();
  });

  it('shuts when an expert is with nobody, and sends another canary when it is back', async () => {
    const { gate, monitor, pass } = await setUpReady();
    monitor.workerChanged(away('a', 'no answer within 1000 ms'));
    expect(gate.notReadyBecause).toBe('worker a is away: no answer within 1000 ms');
    monitor.workerChanged(up('a'));
    expect(gate.notReadyBecause).toBe('waiting for the canary token');
    await pass();
    expect(gate.notReadyBecause).toBeUndefined();
  });

  it('stays open when a worker goes whose experts are elsewhere too, and when it comes back', async () => {
    const { gate, monitor, pass } = await setUpReady();
    monitor.placementApplied({ ...placement, replicas: new Map([[0, [[0, 1], [1], [0, 1]]]]) });
    monitor.workerChanged(up('b', [0, 1, 2]));
    monitor.workerChanged(away('a', 'gone'));
    expect(gate.notReadyBecause).toBeUndefined();
    monitor.workerChanged(up('a'));
    expect(gate.notReadyBecause).toBeUndefined();
    await pass();
    expect(gate.notReadyBecause).toBeUndefined();
  });

  it('stays open while a change of placement goes on, and sends a canary after it', async () => {
    const { gate, monitor, canaries, pass } = await setUpReady();
    monitor.workerChanged(up('b', [0, 1, 2]));
    monitor.placementApplied({ ...placement, replicas: new Map([[0, [[1], [1], [0, 1]]]]) });
    monitor.workerChanged(up('a', [2]));
    expect(gate.notReadyBecause).toBeUndefined();
    expect(canaries).toHaveLength(0);
    monitor.placementApplied({ ...placement, version: 2, replicas: new Map([[0, [[1], [1], [0, 1]]]]) });
    expect(gate.notReadyBecause).toBeUndefined();
    await pass();
    expect(gate.notReadyBecause).toBeUndefined();
  });

  it('shuts at a lost data connection, before any heartbeat is missed', async () => {
    const { gate, monitor, pass } = await setUpReady();
    monitor.connectionEvent('b', 'connection reset');
    expect(gate.notReadyBecause).toBe('worker b has lost its data connection: connection reset');
    monitor.connectionEvent('b', undefined);
    await pass();
    expect(gate.notReadyBecause).toBeUndefined();
  });

  it('knows of no lost connection of a worker that was forgotten, whichever it hears of first', async () => {
    const { gate, monitor, canaries, pass } = await setUpReady();
    monitor.connectionEvent('b', 'connection reset');
    monitor.workerForgotten('b');
    monitor.connectionEvent('b', 'closed');
    monitor.workerChanged(up('b'));
    while (canaries.length > 0) await pass();
    expect(gate.notReadyBecause).toBeUndefined();
  });

  it('tries again after a canary that failed', async () => {
    const { gate, monitor, settle, pass, clock, runCanary } = setUp();
    monitor.engineLoaded(runCanary);
    monitor.placementApplied(placement);
    monitor.workerChanged(up('a'));
    monitor.workerChanged(up('b'));
    await settle(({ fail }) => {
      fail(new ExpertmeshError('data_loss', 'worker b answered NaN'));
    });
    expect(gate.notReadyBecause).toBe('the canary token failed: worker b answered NaN');
    clock.advance(1_000);
    await pass();
    expect(gate.notReadyBecause).toBeUndefined();
    expect(clock.numTimers).toBe(0);
  });

  it('does not trust a canary that a worker left behind', async () => {
    const { gate, monitor, canaries, pass, runCanary } = setUp();
    monitor.engineLoaded(runCanary);
    monitor.placementApplied(placement);
    monitor.workerChanged(up('a'));
    monitor.workerChanged(up('b'));
    monitor.workerChanged(away('a', 'it has been restarted'));
    monitor.workerChanged(up('a'));
    await pass();
    expect(gate.notReadyBecause).toBe('waiting for the canary token');
    expect(canaries).toHaveLength(1);
    await pass();
    expect(gate.notReadyBecause).toBeUndefined();
  });

  it('needs nobody for the experts of the coordinator itself', async () => {
    const { gate, monitor, pass, runCanary } = setUp();
    monitor.engineLoaded(runCanary);
    monitor.placementApplied({ version: 1, numExperts: 1, workerIds: ['local'], replicas: new Map([[0, [[0]]]]) });
    await pass();
    expect(gate.notReadyBecause).toBeUndefined();
  });
});

describe('ReadinessGate', () => {
  it('refuses sequences with the reason until it is open', () => {
    const { gate } = setUp();
    const request = { promptTokenIds: [1], maxTokens: 1, stopTokenIds: [], sampling: { temperature: 0 } } as never;
    expect(() => gate.generate(request, new AbortController().signal)).toThrow(/the model is not ready: /);
  });
});
