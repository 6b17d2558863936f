import { expect, it } from 'vitest';
import { RequestFrames } from './request-frames.js';

const bytes = Buffer.of(0, 0, 0, 0, 2, 7, 7, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0);

it.each([1, 2, 3, 6, 20])('tells of every message once, from chunks of %i bytes', (chunkBytes) => {
  const told: unknown[] = [];
  const frames = new RequestFrames((...message) => told.push(message));
  const inMessage: boolean[] = [];
  for (let start = 0; start < bytes.byteLength; start += chunkBytes) {
    frames.push(bytes.subarray(start, start + chunkBytes));
    inMessage.push(frames.isInMessage);
  }
  expect(told).toEqual([
    [2, false],
    [0, false],
    [256, true],
  ]);
  expect(inMessage.at(-1)).toBe(true);
  frames.push(Buffer.alloc(256));
  expect(frames.isInMessage).toBe(false);
});
