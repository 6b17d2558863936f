import { PRESET_CONFIGS } from '@expertmesh/shared/expert-store/synth/presets';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { describe, expect, it } from 'vitest';
import {
  BLOCK_TOKENS,
  blocksOf,
  keyIndex,
  kvBytesPerToken,
  kvLayout,
  scalesOffset,
  valuesOffset,
} from './kv-layout.js';

const large = parseModelSpec(PRESET_CONFIGS['qwen3-235b-a22b']);

describe('kvLayout', () => {
  it('takes 192.5 KB a token of Qwen3-235B in fp16, and less than 100 KB in int8', () => {
    expect(kvBytesPerToken(large, 'fp16')).toBe(192_512);
    expect(kvBytesPerToken(large, 'int8')).toBeLessThanOrEqual(100_000);
    expect(kvBytesPerToken(large, 'fp32')).toBe(2 * 192_512);
  });

  it.each(['fp32', 'fp16', 'int8'] as const)('gives every element of a head a place of its own: %s', (dtype) => {
    const layout = kvLayout({ numLayers: 2, numKvHeads: 3, headDim: 10 }, dtype);
    const keys = new Set<number>();
    for (let token = 0; token < BLOCK_TOKENS; token++)
      for (let dim = 0; dim < layout.headDim; dim++) keys.add(keyIndex(layout, token, dim));
    expect(keys.size).toBe(BLOCK_TOKENS * layout.headDim);
    expect(Math.max(...keys)).toBe(BLOCK_TOKENS * layout.headDim - 1);
    expect(valuesOffset(layout)).toBe(BLOCK_TOKENS * layout.headDim * layout.elementBytes);
    expect(layout.headBytes - scalesOffset(layout)).toBe(dtype === 'int8' ? 2 * BLOCK_TOKENS * 4 : 0);
    expect(layout.blockBytes).toBe(6 * layout.headBytes);
  });

  it('counts a started block as a whole one', () => {
    expect([0, 1, 32, 33].map(blocksOf)).toEqual([0, 1, 1, 2]);
  });
});
