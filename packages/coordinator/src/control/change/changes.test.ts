import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { contiguousPlacement } from '@expertmesh/shared/placement/placement';
import { describe, expect, it } from 'vitest';
import { setUpPlaced } from '@expertmesh/test-kit/leading-cluster';

describe('Changes', () => {
  const order = { policy: 'contiguous', actor: 'me', reason: 'swap', redundantExperts: 0, survive: 0 } as const;
  const swapped = contiguousPlacement(0, [0, 1], 8, ['b', 'a', 'c']);

  it('refuse plans of a placement that is not in force, and a second change', async () => {
    const { changes, begun, world } = await setUpPlaced();
    const stale = changes.start({ ...order, placement: swapped, expectedVersion: 7 }, begun);
    await expect(stale).rejects.toThrow('the plan was made from version 7, version 1 is in force');
    world.holdsAll = () => false;
    await changes.start({ ...order, placement: swapped, expectedVersion: 1 }, begun);
    const second = changes.start({ ...order, placement: swapped, expectedVersion: 1 }, begun);
    await expect(second).rejects.toThrow('a change to version 2 is under way');
  });

  it('refuse to give experts to a worker that takes none', async () => {
    const { changes, begun, known, admission } = await setUpPlaced();
    await admission.set('a', 'cordoned');
    const start = () => changes.start({ ...order, placement: swapped, expectedVersion: 1 }, begun);
    await expect(start()).rejects.toThrow('worker a, which is cordoned');
    await admission.set('a', 'accepting');
    known.apply({ type: 'down', workerId: 'a', reason: 'no answer' });
    await expect(start()).rejects.toThrow('worker a, which is away: no answer');
    expect(changes.running).toBeUndefined();
  });

  it('need nothing where every expert is where it should be', async () => {
    const { store, changes, begun } = await setUpPlaced();
    const placement = store.placement(1);
    if (placement === undefined) throw new Error('version 1 is there');
    const feed = await changes.start({ ...order, placement, expectedVersion: 1 }, begun);
    expect(feed.isOver).toBe(true);
    expect(store.inForce?.version).toBe(1);
    expect(changes.running).toBeUndefined();
  });

  it('are taken back when a step fails, and the audit says why', async () => {
    const { store, changes, begun, world, pass, audits } = await setUpPlaced();
    world.holdsAll = () => {
      throw new ExpertmeshError('resource_exhausted', 'worker a: full');
    };
    await changes.start({ ...order, placement: swapped, expectedVersion: 1 }, begun);
    await pass(1_000);
    expect(store.inForce).toMatchObject({ epoch: 1, version: 1 });
    expect(store.history(10).map(({ placement }) => placement.version)).toEqual([1]);
    expect(store.nextVersion).toBe(3);
    expect(audits.at(-1)?.outcome).toBe('rolled back: worker a: full');
    expect(changes.running).toBeUndefined();
  });
});
