import { describe, expect, it } from 'vitest';
import { contiguousPlacement, expertsOf } from './placement.js';

const workers = (count: number): string[] => Array.from({ length: count }, (_, i) => `w${String(i)}`);

describe('contiguousPlacement', () => {
  it('gives every expert exactly one worker, in ranges that differ by at most one, for any number of workers', () => {
    for (const numExperts of [1, 7, 60, 128, 160]) {
      for (let numWorkers = 1; numWorkers <= numExperts; numWorkers++) {
        const placement = contiguousPlacement(1, [0], numExperts, workers(numWorkers));
        const shards = workers(numWorkers).map((_, index) => expertsOf(placement, 0, index));
        expect(shards.flat()).toEqual(Array.from({ length: numExperts }, (_, expertId) => expertId));
        const sizes = shards.map((shard) => shard.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }
    }
  });

  it('has no experts for layers without a router', () => {
    expect(expertsOf(contiguousPlacement(1, [1, 3], 8, workers(2)), 0, 0)).toEqual([]);
  });

  it('refuses no workers and more workers than experts', () => {
    expect(() => contiguousPlacement(1, [0], 4, [])).toThrow('0 workers cannot share 4 experts');
    expect(() => contiguousPlacement(1, [0], 4, workers(5))).toThrow('use 1 to 4 workers');
  });
});
