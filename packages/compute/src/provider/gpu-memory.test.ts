import { describe, expect, it } from 'vitest';
import { PRESET_CONFIGS } from '@expertmesh/shared/expert-store/synth/presets';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { gpuBudget, gpuNeed, requireGpuMemory } from './gpu-memory.js';

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

describe('gpuNeed', () => {
  it('counts the held parts, and more than the KV cache itself', () => {
    const geometry = { spec: parseModelSpec(PRESET_CONFIGS['qwen3-30b-a3b']), quantisation: { bits: 32 } } as const;
    const all = gpuNeed(geometry, () => true, 2 * GB);
    const experts = gpuNeed(geometry, ({ kind }) => kind === 'expert', 0);
    // 30.5 billion weights, of which 29 billion are the experts'; 10 % for preparing them.
    expect(all.weightBytes / GB).toBeCloseTo(30.5 * 4 * 1.1, -1);
    expect(experts.weightBytes / GB).toBeCloseTo(29 * 4 * 1.1, -1);
    expect(all.cacheBytes).toBe(3 * GB);
    expect(experts.cacheBytes).toBe(0);
  });
});

describe('requireGpuMemory', () => {
  const need = { weightBytes: 6 * GB, cacheBytes: 3 * GB };

  it('refuses weights and KV cache that are too large together', () => {
    expect(() => {
      requireGpuMemory(need, { bytes: 8.5 * GB, source: 'test' });
    }).toThrow(
      /6.00 GB of weights and 3.00 GB for the KV cache, its budget is 8.50 GB \(test\): lower --kv-cache-bytes/,
    );
  });

  it('lets pass what fits, and what nothing is known of', () => {
    requireGpuMemory(need, { bytes: 9 * GB, source: 'test' });
    requireGpuMemory(need, { bytes: undefined, source: 'not known' });
  });
});
