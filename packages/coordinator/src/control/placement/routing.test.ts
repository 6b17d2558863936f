import { type Placement } from '@expertmesh/shared/placement/placement';
import { describe, expect, it } from 'vitest';
import { mergePlacements, routingPlacement, withoutIdle } from './routing.js';

const from: Placement = {
  version: 1,
  numExperts: 2,
  workerIds: ['a', 'b'],
  replicas: new Map([
    [0, [[0], [1]]],
    [2, [[0], [0, 1]]],
  ]),
};
const to: Placement = {
  version: 2,
  numExperts: 2,
  workerIds: ['c', 'a'],
  replicas: new Map([
    [0, [[0], [1]]],
    [2, [[0, 1], [0]]],
  ]),
};

describe('mergePlacements', () => {
  it('has the layers that are done from the new placement and the others from the old one', () => {
    const merged = mergePlacements(from, to, [2]);
    expect(merged.version).toBe(1);
    expect(merged.workerIds).toEqual(['a', 'b', 'c']);
    expect(merged.replicas.get(0)).toEqual([[0], [1]]);
    expect(merged.replicas.get(2)).toEqual([[0, 2], [2]]);
  });
});

describe('routingPlacement', () => {
  const known = (version: number): Placement | undefined =>
    [from, to].find((placement) => placement.version === version);

  it('is the version in force, or what is made of both during a change', () => {
    expect(routingPlacement({ formatVersion: 1, epoch: 1, version: 1 }, known)).toBe(from);
    const change = { toVersion: 2, doneLayers: [0, 2] };
    const all = routingPlacement({ formatVersion: 1, epoch: 1, version: 1, change }, known);
    expect(all?.replicas.get(0)).toEqual([[2], [0]]);
  });

  it('is not known while a document is missing that it needs', () => {
    const inForce = { formatVersion: 1, epoch: 1, version: 1 } as const;
    expect(routingPlacement({ ...inForce, version: 3 }, known)).toBeUndefined();
    expect(routingPlacement({ ...inForce, change: { toVersion: 3, doneLayers: [] } }, known)).toBe(from);
    expect(routingPlacement({ ...inForce, change: { toVersion: 3, doneLayers: [0] } }, known)).toBeUndefined();
  });
});

describe('withoutIdle', () => {
  it('leaves out workers that have nothing and are to get nothing', () => {
    const placement = { ...from, workerIds: ['x', 'a', 'y', 'b'], replicas: new Map([[0, [[1], [1, 3]]]]) };
    const active = withoutIdle(placement, (workerId) => workerId === 'y');
    expect(active.workerIds).toEqual(['a', 'y', 'b']);
    expect(active.replicas.get(0)).toEqual([[0], [0, 2]]);
    expect(withoutIdle(from, () => false)).toBe(from);
  });
});
