import { contiguousPlacement } from '@expertmesh/shared/placement/placement';
import { describe, expect, it } from 'vitest';
import { includesShards, isSameShards, numReplicasIn, shardsOf, toShards, unionShards } from './shards.js';
import { WantedShards } from './wanted-shards.js';

const placement = contiguousPlacement(1, [0, 3], 5, ['a', 'b']);

describe('shards', () => {
  it('of a worker are its experts of every layer; of a stranger none', () => {
    const ofA = shardsOf(placement, 'a');
    expect(ofA).toEqual([
      { layerIndex: 0, expertIds: [0, 1] },
      { layerIndex: 3, expertIds: [0, 1] },
    ]);
    expect(numReplicasIn(ofA)).toBe(4);
    expect(shardsOf(placement, 'c')).toEqual([]);
  });

  it('are compared and united as sets, in one form', () => {
    const reported = toShards([
      [3, [1, 0]],
      [1, []],
      [0, [1, 0]],
    ]);
    expect(isSameShards(reported, shardsOf(placement, 'a'))).toBe(true);
    const more = unionShards(reported, [{ layerIndex: 0, expertIds: [4, 1] }]);
    expect(more[0]).toEqual({ layerIndex: 0, expertIds: [0, 1, 4] });
    expect(isSameShards(more, reported)).toBe(false);
    expect([includesShards(more, reported), includesShards(reported, more)]).toEqual([true, false]);
  });
});

describe('WantedShards', () => {
  it("are a worker's part of the placement, and what a change needs beside it", () => {
    const wanted = new WantedShards();
    expect(wanted.of(placement, 'a')).toEqual(shardsOf(placement, 'a'));
    wanted.setExtra(new Map([['a', [{ layerIndex: 0, expertIds: [4] }]]]));
    expect(wanted.of(placement, 'a')[0]).toEqual({ layerIndex: 0, expertIds: [0, 1, 4] });
    const other = contiguousPlacement(2, [0, 3], 5, ['b', 'a']);
    expect(wanted.of(other, 'a')[0]).toEqual({ layerIndex: 0, expertIds: [2, 3, 4] });
  });
});
