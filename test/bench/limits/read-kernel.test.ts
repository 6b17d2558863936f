import { expect, it } from 'vitest';
import { readKernel } from './read-kernel.js';

const SIZE_BYTES = 1024 * 1024;

it('reads all of the memory', () => {
  const { memory, read } = readKernel(SIZE_BYTES);
  memory.fill(0);
  // A 32-bit word of every 16 bytes counts: the first, one in the middle of a step, and the last.
  memory[0] = 1;
  memory[SIZE_BYTES / 2 + 48] = 2;
  memory[SIZE_BYTES - 16] = 4;
  expect(read(SIZE_BYTES)).toBe(7);
  expect(read(SIZE_BYTES / 2)).toBe(1);
});
