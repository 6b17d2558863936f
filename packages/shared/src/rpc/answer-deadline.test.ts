import { expect, it } from 'vitest';
import { answerDeadline } from './answer-deadline.js';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';

function start() {
  const clock = new DrivenClock();
  const expired: number[] = [];
  const answered = answerDeadline(clock, 1000, () => expired.push(clock.nowMs()));
  return { clock, expired, answered };
}

it('expires once, at the deadline', () => {
  const { clock, expired } = start();
  clock.advance(5000);
  expect(expired).toEqual([1000]);
});

it('does not expire after the answer', () => {
  const { clock, expired, answered } = start();
  answered();
  clock.advance(5000);
  expect(expired).toEqual([]);
});

it('waits a little longer when the thread was busy at the deadline', () => {
  const { clock, expired } = start();
  clock.block(3000);
  clock.advance(249);
  expect(expired).toEqual([]);
  clock.advance(1);
  expect(expired).toEqual([3250]);
});

it('takes an answer that was read after the thread was busy', () => {
  const { clock, expired, answered } = start();
  clock.block(3000);
  clock.advance(0);
  answered();
  clock.advance(5000);
  expect(expired).toEqual([]);
});
