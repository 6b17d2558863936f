import { type PlacementInForce } from '@expertmesh/shared/cluster/placement-document';
import { describe, expect, it } from 'vitest';
import { isKept, MAX_HISTORY, withHistory } from './placement-history.js';

const inForce = (version: number, change?: PlacementInForce['change']): PlacementInForce => ({
  formatVersion: 1,
  epoch: 1,
  version,
  ...(change && { change }),
});
const kept = (record: PlacementInForce, versions: readonly number[]): number[] =>
  versions.filter((version) => isKept(version, record));

describe('withHistory', () => {
  it('names what has been in force, and the highest version of all', () => {
    const change = { toVersion: 5, doneLayers: [] };
    expect(withHistory(inForce(3, change), [1, 3], 4).history).toEqual({ inForce: [1, 3], last: 5 });
    expect(withHistory(inForce(6), [1, 3], 6).history).toEqual({ inForce: [1, 3, 6], last: 6 });
  });

  it('names no more than can be gone back to', () => {
    const before = Array.from({ length: 80 }, (_, index) => index + 1);
    const { history } = withHistory(inForce(90), before, 90);
    expect(history?.inForce).toHaveLength(MAX_HISTORY);
    expect(history?.inForce.at(-1)).toBe(90);
  });
});

describe('isKept', () => {
  it('keeps what is, was or may come into force, and not what was taken back', () => {
    const history = { inForce: [1, 3], last: 6 };
    expect(kept({ ...inForce(3, { toVersion: 5, doneLayers: [] }), history }, [1, 2, 3, 4, 5, 6, 7])).toEqual([
      1, 3, 5, 7,
    ]);
  });

  it('keeps everything by a record of an earlier release, which names no history', () => {
    expect(kept(inForce(2), [1, 2, 3])).toEqual([1, 2, 3]);
  });
});
