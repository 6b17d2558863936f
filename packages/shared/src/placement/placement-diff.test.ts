import { describe, expect, it } from 'vitest';
import { diffPlacements } from './placement-diff.js';
import { contiguousPlacement, type Placement } from './placement.js';

const before = contiguousPlacement(1, [2], 4, ['a', 'b']);

describe('diffPlacements', () => {
  it('says what each worker loads and drops in each layer, matching workers by id', () => {
    const after: Placement = {
      version: 2,
      numExperts: 4,
      workerIds: ['b', 'a', 'c'],
      replicas: new Map([[2, [[1], [0], [0, 2], [2]]]]),
    };
    expect(diffPlacements(before, after, 10)).toEqual({
      moves: [
        { workerId: 'a', layerIndex: 2, load: [], drop: [1] },
        { workerId: 'b', layerIndex: 2, load: [1], drop: [3] },
        { workerId: 'c', layerIndex: 2, load: [2, 3], drop: [] },
      ],
      numLoads: 3,
      numDrops: 2,
      bytesToMove: 30,
    });
  });

  it('loads everything where nothing was placed, and drops everything from a worker that is gone', () => {
    expect(diffPlacements(undefined, before, 10)).toMatchObject({ numLoads: 4, numDrops: 0, bytesToMove: 40 });
    const { moves } = diffPlacements(before, contiguousPlacement(2, [2], 4, ['a']), 10);
    expect(moves).toEqual([
      { workerId: 'a', layerIndex: 2, load: [2, 3], drop: [] },
      { workerId: 'b', layerIndex: 2, load: [], drop: [2, 3] },
    ]);
  });

  it('is empty between a placement and itself', () => {
    expect(diffPlacements(before, { ...before, version: 2 }, 10).moves).toEqual([]);
  });
});
