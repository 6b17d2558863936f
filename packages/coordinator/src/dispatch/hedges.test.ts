import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { describe, expect, it } from 'vitest';
import { Hedges } from './hedges.js';

function start(isOn = true, ms = 10) {
  const clock = new DrivenClock();
  const hedges = new Hedges(clock, isOn);
  for (let sample = 0; sample < 64; sample++) hedges.times.add('w', 8, ms);
  return { clock, hedges };
}

describe('Hedges', () => {
  it('says that a call is late after three times what 99 of 100 such calls have taken', () => {
    const { clock, hedges } = start();
    let numLate = 0;
    hedges.whenLate('w', 8, () => numLate++);
    clock.advance(29);
    expect(numLate).toBe(0);
    clock.advance(1);
    expect([numLate, clock.numTimers]).toEqual([1, 0]);
  });

  it('waits 20 ms at least, and calls of fewer pairs as long as the next larger that are known', () => {
    const { clock, hedges } = start(true, 1);
    let numLate = 0;
    hedges.whenLate('w', 1, () => numLate++);
    clock.advance(19);
    expect(numLate).toBe(0);
    clock.advance(1);
    expect(numLate).toBe(1);
  });

  it('says nothing of calls that have ended, of those without a history, and where hedging is off', () => {
    const { clock, hedges } = start();
    const late: string[] = [];
    hedges.whenLate('w', 8, () => late.push('ended'))();
    hedges.whenLate('w', 1_000, () => late.push('larger'));
    hedges.whenLate('other', 8, () => late.push('unknown'));
    start(false).hedges.whenLate('w', 8, () => late.push('off'));
    expect(clock.numTimers).toBe(0);
    expect(late).toEqual([]);
  });

  it('gives an answer that may lie unread in the socket some time when this thread was busy', () => {
    const { clock, hedges } = start();
    let numLate = 0;
    hedges.whenLate('w', 8, () => numLate++);
    clock.block(100);
    clock.advance(0);
    expect(numLate).toBe(0);
    clock.advance(20);
    expect(numLate).toBe(1);
  });

  it('sends one call in twenty twice at most, after the first sixteen, unless they are overdue', () => {
    const { clock, hedges } = start();
    let numLate = 0;
    for (let call = 0; call < 16 + 2_000; call++) {
      const end = hedges.whenLate('w', 8, () => numLate++);
      clock.advance(30);
      end();
    }
    expect(numLate).toBeGreaterThanOrEqual(16 + 100);
    expect(numLate).toBeLessThanOrEqual(16 + 101);
    const before = numLate;
    while (numLate === before) {
      const end = hedges.whenLate('w', 8, () => numLate++);
      clock.advance(30);
      end();
    }
    hedges.whenLate('w', 8, () => numLate++);
    clock.advance(199);
    expect(numLate).toBe(before + 1);
    clock.advance(1);
    expect(numLate).toBe(before + 2);
    hedges.won('w');
    expect(hedges.read()).toEqual([{ workerId: 'w', numHedges: numLate, numWon: 1 }]);
  });

  it('takes a worker for silent until something is heard of it', () => {
    const { hedges } = start();
    hedges.noteSilent('w');
    expect(hedges.isSilent('w')).toBe(true);
    hedges.noteHeard('w');
    expect(hedges.isSilent('w')).toBe(false);
  });
});
