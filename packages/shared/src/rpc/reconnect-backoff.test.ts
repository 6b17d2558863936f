import { expect, it } from 'vitest';
import { reconnectDelayMs } from './reconnect-backoff.js';

it('doubles from 100 ms up to 2 s', () => {
  const delays = [1, 2, 3, 4, 5, 6, 1000].map((numFailures) => reconnectDelayMs(numFailures, () => 0));
  expect(delays).toEqual([100, 200, 400, 800, 1600, 2000, 2000]);
});

it('takes off at most half', () => {
  expect(reconnectDelayMs(1, () => 0.5)).toBe(75);
  expect(reconnectDelayMs(9, () => 0.999999)).toBeGreaterThan(1000);
});
