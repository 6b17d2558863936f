import { expect, it } from 'vitest';
import { RateMeter } from './rate-meter.js';

it('knows no rate before two moments', () => {
  const meter = new RateMeter();
  expect(meter.bytesPerSecond).toBeUndefined();
  meter.add(1_000, 500);
  expect(meter.bytesPerSecond).toBeUndefined();
  expect(meter.secondsLeft(1_000)).toBeUndefined();
});

it('does not count what was done before the first moment', () => {
  const meter = new RateMeter();
  meter.add(0, 1_000_000);
  meter.add(2_000, 1_000_200);
  expect(meter.bytesPerSecond).toBe(100);
  expect(meter.secondsLeft(1_001_200)).toBe(10);
});

it('follows a change of speed within 15 s', () => {
  const meter = new RateMeter();
  let doneBytes = 0;
  for (let timeMs = 0; timeMs < 60_000; timeMs += 100) meter.add(timeMs, (doneBytes += 1_000));
  for (let timeMs = 60_000; timeMs <= 76_000; timeMs += 100) meter.add(timeMs, (doneBytes += 10));
  expect(meter.bytesPerSecond).toBeCloseTo(100, 6);
});

it('gives no time left while nothing moves', () => {
  const meter = new RateMeter();
  meter.add(0, 5);
  meter.add(1_000, 5);
  expect(meter.bytesPerSecond).toBe(0);
  expect(meter.secondsLeft(10)).toBeUndefined();
});
