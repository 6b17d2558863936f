import { describe, expect, it } from 'vitest';
import { PRESET_CONFIGS } from '@expertmesh/shared/expert-store/synth/presets';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { gpuBudget, gpuNeedBytes, requireGpuMemory } from './gpu-memory.js';

const GB = 1e9;

describe('gpuBudget', () => {
  it('is what was asked for, if anything was', async () => {
    const budget = await gpuBudget(5 * GB, () => Promise.resolve('NVIDIA X, 100\n'));
    expect(budget).toEqual({ bytes: 5 * GB, source: '--gpu-memory-bytes 5000000000' });
  });

  it('is most of what is free on the first NVIDIA GPU', async () => {
    const budget = await gpuBudget(undefined, () => Promise.resolve('NVIDIA H200, 1000\nNVIDIA H200, 2000\n'));
    expect(budget.bytes).toBe(Math.floor(1000 * 2 ** 20 * 0.9));
    expect(budget.source).toBe('90 % of 1.05 GB free on NVIDIA H200');
  });

  it('is not known without such a GPU, and says how to give one', async () => {
    const budget = await gpuBudget(undefined, () => Promise.reject(new Error('ENOENT')));
    expect(budget.bytes).toBeUndefined();
    expect(budget.source).toContain('--gpu-memory-bytes');
  });
});

describe('gpuNeedBytes', () => {
  it('counts the held parts', () => {
    const geometry = { spec: parseModelSpec(PRESET_CONFIGS['qwen3-30b-a3b']), quantisation: { bits: 32 } } as const;
    const all = gpuNeedBytes(geometry, () => true);
    const experts = gpuNeedBytes(geometry, ({ kind }) => kind === 'expert');
    // 30.5 billion weights, of which 29 billion are the experts'; 10 % for preparing them.
    expect(all / GB).toBeCloseTo(30.5 * 4 * 1.1, -1);
    expect(experts / GB).toBeCloseTo(29 * 4 * 1.1, -1);
  });
});

describe('requireGpuMemory', () => {
  it('refuses weights that are too large', () => {
    expect(() => {
      requireGpuMemory(9 * GB, { bytes: 8.5 * GB, source: 'test' });
    }).toThrow(/9.00 GB of weights, its budget is 8.50 GB \(test\): leave more experts to workers/);
  });

  it('lets pass what fits, and what nothing is known of', () => {
    requireGpuMemory(9 * GB, { bytes: 9 * GB, source: 'test' });
    requireGpuMemory(9 * GB, { bytes: undefined, source: 'not known' });
  });
});
