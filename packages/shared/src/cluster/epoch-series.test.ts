import { describe, expect, it } from 'vitest';
import { nextEpoch } from './epoch-series.js';

describe('nextEpoch', () => {
  it.each([0, 1, 999_999, 1_000_000, 123_456_789])('is above %d, and by less than two generations', (known) => {
    const epoch = nextEpoch(known, 'boot-1');
    expect(epoch).toBeGreaterThan(known);
    expect(epoch - known).toBeLessThanOrEqual(1_000_000);
  });

  it('gives two processes that have heard of nothing different epochs, always', () => {
    const epochsOf = (bootId: string): number[] => {
      const epochs = [nextEpoch(0, bootId)];
      while (epochs.length < 5) epochs.push(nextEpoch(epochs.at(-1) ?? 0, bootId));
      return epochs;
    };
    const others = new Set(epochsOf('boot-2'));
    expect(epochsOf('boot-1').filter((epoch) => others.has(epoch))).toEqual([]);
  });

  it('is above an epoch of the same process', () => {
    const first = nextEpoch(0, 'boot-1');
    expect(nextEpoch(first, 'boot-1')).toBe(first + 1_000_000);
  });
});
