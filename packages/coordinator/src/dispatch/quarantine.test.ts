import { describe, expect, it } from 'vitest';
import { Quarantine } from './quarantine.js';

function start() {
  let nowMs = 0;
  const changes: string[] = [];
  const quarantine = new Quarantine(
    () => nowMs,
    (workerId, because) => changes.push(because === undefined ? `${workerId} out` : `${workerId} in`),
  );
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return { quarantine, changes, pass };
}

describe('Quarantine', () => {
  it('begins with the third wrong answer within a minute, and not with three in a longer time', () => {
    const { quarantine, changes, pass } = start();
    for (let round = 0; round < 5; round++) {
      quarantine.noteWrong('w', 'damaged', 'a bit');
      pass(31_000);
    }
    expect(changes).toEqual([]);
    for (let round = 0; round < 2; round++) quarantine.noteWrong('w', 'damaged', 'a bit');
    expect(changes).toEqual(['w in']);
    expect(quarantine.list()).toEqual([{ workerId: 'w', because: '3 wrong answers within a minute, the last: a bit' }]);
  });

  it('begins at once for a worker that drifts', () => {
    const { quarantine } = start();
    quarantine.noteWrong('w', 'drift', 'expert 3');
    expect(quarantine.has('w')).toBe(true);
  });

  it('examines after a second, and after twice the time whenever an exam is failed, a minute at most', () => {
    const { quarantine, changes, pass } = start();
    quarantine.noteWrong('w', 'drift', 'expert 3');
    for (const delayMs of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
      pass(delayMs - 1);
      expect(quarantine.examinees()).toEqual([]);
      pass(1);
      expect(quarantine.examinees()).toEqual(['w']);
      quarantine.examined('w', false);
    }
    pass(60_000);
    quarantine.examined('w', true);
    expect([changes, quarantine.examinees(), quarantine.has('w')]).toEqual([['w in', 'w out'], [], false]);
  });

  it('takes a worker back at its next wrong answer within a minute, and examines it later than before', () => {
    const { quarantine, pass } = start();
    quarantine.noteWrong('w', 'drift', 'expert 3');
    pass(1_000);
    quarantine.examined('w', true);
    quarantine.noteWrong('w', 'damaged', 'a bit');
    expect(quarantine.has('w')).toBe(true);
    pass(1_999);
    expect(quarantine.examinees()).toEqual([]);
    pass(1);
    expect(quarantine.examinees()).toEqual(['w']);
  });

  it('forgets a worker that is no member any more', () => {
    const { quarantine } = start();
    quarantine.noteWrong('w', 'drift', 'expert 3');
    quarantine.forget('w');
    expect([quarantine.has('w'), quarantine.list()]).toEqual([false, []]);
  });
});
