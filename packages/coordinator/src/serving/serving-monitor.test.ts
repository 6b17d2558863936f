import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { createLogger } from '@expertmesh/shared/process/logger';
import { describe, expect, it } from 'vitest';
import { DrivenClock } from '../../../../test/kit/driven-clock.js';
import { ReadinessGate } from './readiness-gate.js';
import { ServingMonitor } from './serving-monitor.js';

const up = (workerId: string) => ({ type: 'up', workerId, dataAddress: `${workerId}:9100`, bootId: 'b' }) as const;
const down = (workerId: string, reason: string) => ({ type: 'down', workerId, reason }) as const;

/** The test decides how each canary ends. */
function setUp() {
  const clock = new DrivenClock();
  const gate = new ReadinessGate({ maxModelLen: 10, vocabSize: 10 }, 100);
  const canaries: { pass: () => void; fail: (error: Error) => void }[] = [];
  const monitor = new ServingMonitor({
    workerIds: ['a', 'b'],
    gate,
    runCanary: () => new Promise((pass, fail) => canaries.push({ pass, fail })),
    logger: createLogger({ name: 'test', level: 'silent' }),
    clock,
  });
  const settle = async (end: (canary: { pass: () => void; fail: (error: Error) => void }) => void): Promise<void> => {
    const canary = canaries.shift();
    if (canary === undefined) throw new Error('no canary is under way');
    end(canary);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { gate, monitor, canaries, settle, clock };
}

describe('ServingMonitor', () => {
  it('says what is missing, step by step, and opens only when a canary has come through', async () => {
    const { gate, monitor, canaries, settle } = setUp();
    monitor.engineLoading(3, 6);
    expect(gate.notReadyBecause).toBe('loading the dense weights (3 of 6 parts)');
    monitor.engineLoaded();
    expect(gate.notReadyBecause).toBe('worker a has not answered yet');
    monitor.workerEvent(up('a'));
    monitor.workerEvent({
      type: 'progress',
      workerId: 'b',
      loadedBytes: 1,
      totalBytes: 4,
      loadedLayers: 1,
      totalLayers: 4,
    });
    expect(gate.notReadyBecause).toBe('worker b is loading (1 of 4 layers)');
    expect(canaries).toHaveLength(0);
    monitor.workerEvent(up('b'));
    expect(gate.notReadyBecause).toBe('waiting for the canary token');
    await settle(({ pass }) => {
      pass();
    });
    expect(gate.notReadyBecause).toBeUndefined();
  });

  it('shuts when a worker goes and sends another canary when it is back', async () => {
    const { gate, monitor, settle } = setUp();
    monitor.engineLoaded();
    monitor.workerEvent(up('a'));
    monitor.workerEvent(up('b'));
    await settle(({ pass }) => {
      pass();
    });
    monitor.workerEvent(down('a', 'no answer within 1000 ms'));
    expect(gate.notReadyBecause).toBe('worker a is away: no answer within 1000 ms');
    monitor.workerEvent(up('a'));
    expect(gate.notReadyBecause).toBe('waiting for the canary token');
    await settle(({ pass }) => {
      pass();
    });
    expect(gate.notReadyBecause).toBeUndefined();
  });

  it('shuts at a lost data connection, before any heartbeat is missed', async () => {
    const { gate, monitor, settle } = setUp();
    monitor.engineLoaded();
    monitor.workerEvent(up('a'));
    monitor.workerEvent(up('b'));
    await settle(({ pass }) => {
      pass();
    });
    monitor.connectionEvent('b', 'connection reset');
    expect(gate.notReadyBecause).toBe('worker b has lost its data connection: connection reset');
    monitor.connectionEvent('b', undefined);
    await settle(({ pass }) => {
      pass();
    });
    expect(gate.notReadyBecause).toBeUndefined();
  });

  it('tries again after a canary that failed', async () => {
    const { gate, monitor, settle, clock } = setUp();
    monitor.engineLoaded();
    monitor.workerEvent(up('a'));
    monitor.workerEvent(up('b'));
    await settle(({ fail }) => {
      fail(new ExpertmeshError('data_loss', 'worker b answered NaN'));
    });
    expect(gate.notReadyBecause).toBe('the canary token failed: worker b answered NaN');
    clock.advance(1_000);
    await settle(({ pass }) => {
      pass();
    });
    expect(gate.notReadyBecause).toBeUndefined();
  });

  it('stays open when a worker that came back made the retry needless', async () => {
    const { gate, monitor, canaries, settle, clock } = setUp();
    monitor.engineLoaded();
    monitor.workerEvent(up('a'));
    monitor.workerEvent(up('b'));
    await settle(({ fail }) => {
      fail(new ExpertmeshError('unavailable', 'worker b is gone'));
    });
    monitor.workerEvent(up('b'));
    await settle(({ pass }) => {
      pass();
    });
    clock.advance(1_000);
    expect(gate.notReadyBecause).toBeUndefined();
    expect(canaries).toHaveLength(0);
  });

  it('does not trust a canary that a worker left behind', async () => {
    const { gate, monitor, canaries, settle } = setUp();
    monitor.engineLoaded();
    monitor.workerEvent(up('a'));
    monitor.workerEvent(up('b'));
    monitor.workerEvent(down('a', 'it has been restarted'));
    monitor.workerEvent(up('a'));
    await settle(({ pass }) => {
      pass();
    });
    expect(gate.notReadyBecause).toBe('waiting for the canary token');
    expect(canaries).toHaveLength(1);
    await settle(({ pass }) => {
      pass();
    });
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
