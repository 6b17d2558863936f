import { describe, expect, it } from 'vitest';
import { ReadinessGate } from './readiness-gate.js';

describe('ReadinessGate', () => {
  it('tells those who watch whether it is open, now and when that changes', () => {
    const gate = new ReadinessGate({ maxModelLen: 8, vocabSize: 8 }, 0);
    const told: boolean[] = [];
    gate.watch((isReady) => told.push(isReady));
    gate.open();
    gate.shut('a worker is away');
    expect(told).toEqual([false, true, false]);
  });
});
