import { expect, it } from 'vitest';
import { formatBytes } from './format-bytes.js';

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.00 kB'],
  [1_572_000_000, '1.57 GB'],
  [123_456_789, '123 MB'],
  [999_999, '1.00 MB'],
  [4.7e14, '470 TB'],
])('writes %d bytes as %s', (sizeBytes, text) => {
  expect(formatBytes(sizeBytes)).toBe(text);
});
