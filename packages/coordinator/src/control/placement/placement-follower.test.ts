import { type PlacementInForce } from '@expertmesh/shared/cluster/placement-document';
import { contiguousPlacement, type Placement } from '@expertmesh/shared/placement/placement';
import { describe, expect, it } from 'vitest';
import { settle } from '@expertmesh/test-kit/settle';
import { PlacementFollower } from './placement-follower.js';

const inForce = (version: number, doneLayers?: number[]): PlacementInForce => ({
  formatVersion: 1,
  epoch: 1,
  version,
  ...(doneLayers && { change: { toVersion: version + 1, doneLayers } }),
});

describe('PlacementFollower', () => {
  it('says that a step is applied when no call follows the one before, and skips steps that are outdated', async () => {
    const told: Placement[] = [];
    const ends: (() => void)[] = [];
    const applied: Placement[] = [];
    const confirmed: Placement[] = [];
    const [one, two, three] = [1, 2, 3].map((version) => contiguousPlacement(version, [0], 4, ['a', 'b']));
    if (one === undefined || two === undefined || three === undefined) throw new Error('three placements');
    let current: { inForce: PlacementInForce; routing: Placement } | undefined;
    const follower = new PlacementFollower({
      current: () => current,
      confirm: (routing) => {
        confirmed.push(routing);
        return Promise.resolve();
      },
      onApplied: (routing) => applied.push(routing),
      onFailure: () => undefined,
    });
    follower.attach((placement) => {
      told.push(placement);
      return new Promise((resolve) => ends.push(resolve));
    });
    expect(follower.applied).toEqual({ version: 0, numLayers: 0 });
    current = { inForce: inForce(1), routing: one };
    follower.follow();
    await settle();
    expect([told, confirmed, applied]).toEqual([[one], [one], []]);

    current = { inForce: inForce(1, [0]), routing: two };
    follower.follow();
    current = { inForce: inForce(1, [0, 2]), routing: three };
    follower.follow();
    ends.shift()?.();
    await settle();
    expect(follower.applied).toEqual({ version: 1, numLayers: 0 });
    expect(told).toEqual([one, three]);
    ends.shift()?.();
    await settle();
    expect(follower.applied).toEqual({ version: 1, numLayers: 2 });

    // The last step of a change routes as the one before it.
    current = { inForce: inForce(2), routing: three };
    follower.follow();
    await settle();
    expect(follower.applied).toEqual({ version: 2, numLayers: 0 });
    expect(told).toHaveLength(2);
  });

  it('has the engine take a placement that it has failed to take, when there is news', async () => {
    const placement = contiguousPlacement(1, [0], 4, ['a', 'b']);
    const failures: string[] = [];
    const follower = new PlacementFollower({
      current: () => ({ inForce: inForce(1), routing: placement }),
      confirm: () => Promise.resolve(),
      onApplied: () => undefined,
      onFailure: ({ message }) => failures.push(message),
    });
    let numTold = 0;
    follower.attach(() => (++numTold === 1 ? Promise.reject(new Error('no memory')) : Promise.resolve()));
    await settle();
    expect([failures, follower.applied.version]).toEqual([['no memory'], 0]);
    follower.follow();
    await settle();
    expect([numTold, follower.applied.version]).toEqual([2, 1]);
  });
});
