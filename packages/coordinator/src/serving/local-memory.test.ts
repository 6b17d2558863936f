import { describe, expect, it } from 'vitest';
import { localMemoryBudget, requireLocalMemory } from './local-memory.js';

describe('localMemoryBudget', () => {
  it('is what was asked for, or else what the KV cache leaves of 80 % of the memory', () => {
    expect(localMemoryBudget({ memoryBudgetBytes: 5e6, kvCacheBytes: 1e9 }, 1e10)).toBe(5e6);
    expect(localMemoryBudget({ memoryBudgetBytes: undefined, kvCacheBytes: 1e9 }, 1e10)).toBe(7e9);
    expect(localMemoryBudget({ memoryBudgetBytes: undefined, kvCacheBytes: 9e9 }, 1e10)).toBe(0);
  });
});

describe('requireLocalMemory', () => {
  const store = {
    quantisation: { bits: 16, dtype: 'BF16' },
    blob: (path: string) => ({ path, sizeBytes: 1e6, sha256: '' }),
  } as const;
  const shards = [
    { layerIndex: 0, expertIds: [0, 1] },
    { layerIndex: 1, expertIds: [2] },
  ];

  it('counts what the provider makes of all local experts', () => {
    requireLocalMemory(store, shards, 'native', 3.2e6);
    requireLocalMemory(store, shards, 'cpu', 6.7e6);
    expect(() => {
      requireLocalMemory(store, shards, 'cpu', 6.5e6);
    }).toThrow(
      expect.objectContaining({
        code: 'resource_exhausted',
        message: expect.stringMatching(/need about 6\.60 MB .* is 6\.50 MB: .* --memory-budget-bytes/) as string,
      }) as Error,
    );
  });

  it('asks nothing of a coordinator without local experts', () => {
    requireLocalMemory(store, [], 'cpu', 0);
  });
});
