import { describe, expect, it } from 'vitest';
import { modelFits } from './model-fit.js';

const GB = 1e9;
const boxes = (totalMemoryBytes: number): Record<string, number | undefined> =>
  Object.fromEntries(
    modelFits(totalMemoryBytes).map(({ model, bits, numBoxes }) => [`${model} ${String(bits)}`, numBoxes]),
  );

describe('modelFits', () => {
  it('counts the weights of the published geometries', () => {
    // 30.5 and 235 billion weights of 5 bits (4 and an fp32 scale every 32), and 10 % for preparing them.
    const memory = modelFits(GB)
      .filter(({ bits }) => bits === 4)
      .map(({ memoryBytes }) => memoryBytes / GB);
    expect(memory[0]).toBeCloseTo(((30.5 * 5) / 8) * 1.3, -1);
    expect(memory[1]).toBeCloseTo(((235 * 5) / 8) * 1.3, -1);
  });

  it('counts in whole bytes', () => {
    expect(modelFits(GB).every(({ memoryBytes }) => Number.isInteger(memoryBytes))).toBe(true);
  });

  it('needs fewer boxes the larger they are', () => {
    expect(boxes(64 * GB)).toMatchObject({ 'qwen3-30b-a3b 4': 1, 'qwen3-30b-a3b 8': 1, 'qwen3-235b-a22b 4': 4 });
    expect(boxes(512 * GB)).toMatchObject({ 'qwen3-235b-a22b 4': 1, 'qwen3-235b-a22b 8': 1 });
  });

  it('says so when even the part that cannot be spread is too large', () => {
    expect(boxes(4 * GB)['qwen3-235b-a22b 8']).toBeUndefined();
  });
});
