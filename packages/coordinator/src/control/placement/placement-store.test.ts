import { ADMISSIONS_KEY, IN_FORCE_KEY } from '@expertmesh/shared/cluster/cluster-keys';
import { encodePlacementInForce, encodeWorkerAdmissions } from '@expertmesh/shared/cluster/placement-document';
import { EmbeddedControlPlane } from '@expertmesh/shared/control-plane/embedded-control-plane';
import { AuditRecord } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { createLogger } from '@expertmesh/shared/process/logger';
import { describe, expect, it } from 'vitest';
import { LateWatch } from '@expertmesh/test-kit/late-watch';
import { openLeader, openStore, placementDocument, putInForce, takeBack } from '@expertmesh/test-kit/placement-stores';
import { settle } from '@expertmesh/test-kit/settle';

const logger = createLogger({ name: 'test', level: 'silent' });

type OpenedStore = Awaited<ReturnType<typeof openStore>>['store'];

const versions = (store: OpenedStore): number[] => store.history(1000).map(({ placement }) => placement.version);

describe('PlacementStore', () => {
  it('tells others what the leader writes, and follows a change layer by layer', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const leader = await openLeader(controlPlane);
    const { store: follower } = await openStore(controlPlane);
    expect(follower.inForce).toMatchObject({ epoch: 1, version: 1, history: { inForce: [1], last: 1 } });
    expect(follower.routing).toEqual(placementDocument(1).placement);
    const { routing } = follower;
    await leader.store.writeDocument(placementDocument(2));
    await leader.store.writeInForce({
      formatVersion: 1,
      epoch: 1,
      version: 1,
      change: { toVersion: 2, doneLayers: [0] },
    });
    await settle();
    expect(follower.routing?.replicas.get(0)).toEqual([[0], [0]]);
    expect(follower.routing).not.toBe(routing);
    expect(follower.nextVersion).toBe(3);
    expect(versions(follower)).toEqual([2, 1]);
  });

  it('refuses what a leader of before writes, and tells it so', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store: former } = await openLeader(controlPlane);
    const { store: next } = await openStore(controlPlane);
    await next.takeOffice(2);
    const late = former.writeInForce({ formatVersion: 1, epoch: 1, version: 1 });
    await expect(late).rejects.toMatchObject({ code: 'failed_precondition' });
    await expect(late).rejects.toThrow('another coordinator leads under epoch 2');
    expect(next.inForce?.epoch).toBe(2);
    await settle();
    expect(former.inForce?.epoch).toBe(2);
  });

  it('refuses to write out of office', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store } = await openLeader(controlPlane);
    store.leaveOffice();
    await expect(store.writeDocument(placementDocument(2))).rejects.toMatchObject({ code: 'failed_precondition' });
  });

  it('goes on with what the last process left where the control plane is empty, and puts it back', async () => {
    const { memory, store } = await openLeader(new EmbeddedControlPlane(logger));
    await store.changeAdmissions(() => ({ workers: { b: 'cordoned' }, untilRestart: {} }));
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store: restarted } = await openStore(controlPlane, memory);
    expect(restarted.inForce?.version).toBe(1);
    expect(restarted.highestEpoch).toBe(1);
    await restarted.takeOffice(2);
    await restarted.reconcile();
    const { store: other } = await openStore(controlPlane);
    expect(other.inForce).toMatchObject({ epoch: 2, version: 1 });
    expect(other.routing).toEqual(placementDocument(1).placement);
    expect(other.admissions.workers).toEqual({ b: 'cordoned' });
  });

  it('tells of no change where nothing is forgotten', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store, numChanges } = await openLeader(controlPlane);
    await store.addAudit(AuditRecord.create({ timeMs: 1, actor: 'me' }));
    await settle();
    const before = numChanges();
    for (const key of ['audit/1', 'document/1']) await controlPlane.placement.delete(key);
    await settle();
    expect(numChanges()).toBe(before);
  });

  it('tells of what it has found also where its own write fails then', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const placement = new LateWatch(controlPlane.placement);
    const { store, numChanges } = await openLeader({ placement });
    placement.hold();
    const found = { formatVersion: 1, epoch: 1, workers: { b: 'cordoned' }, untilRestart: {} } as const;
    await placement.put(ADMISSIONS_KEY, encodeWorkerAdmissions(found));
    placement.update = () => Promise.reject(new Error('no answer'));
    const before = numChanges();
    await expect(store.changeAdmissions((now) => now)).rejects.toThrow('no answer');
    expect([store.admissions, numChanges() - before]).toEqual([found, 1]);
    // That is no news to a leader that knows it.
    placement.release();
    expect(numChanges() - before).toBe(1);
  });

  it('does not serve a placement of other weights, nor one that may not be served', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store: leader, memory } = await openLeader(controlPlane);
    await leader.writeDocument(placementDocument(4, 'store-2'));
    await leader.writeInForce({ formatVersion: 1, epoch: 1, version: 4 });
    await settle();
    expect(leader.inForce).toBeUndefined();
    expect(leader.nextVersion).toBe(5);
    await leader.writeInForce({ formatVersion: 1, epoch: 1, version: 1 });
    const { store: restarted } = await openStore(new EmbeddedControlPlane(logger), memory, () => false);
    expect(restarted.routing).toBeUndefined();
    expect(restarted.nextVersion).toBe(5);
  });

  it('passes over documents that are broken or of an earlier epoch', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store } = await openLeader(controlPlane);
    await store.takeOffice(3);
    const old = encodePlacementInForce({ formatVersion: 1, epoch: 1, version: 9 });
    await controlPlane.placement.put(IN_FORCE_KEY, old);
    await controlPlane.placement.put('document/5', new TextEncoder().encode('{'));
    await settle();
    expect(store.inForce).toMatchObject({ epoch: 3, version: 1 });
    await store.writeInForce({ formatVersion: 1, epoch: 3, version: 1 });
    expect((await openStore(controlPlane)).store.inForce?.epoch).toBe(3);
  });

  it('keeps the 50 placements that were in force last, on coordinators that do not write as well', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store, memory } = await openLeader(controlPlane);
    const { store: follower, memory: followersMemory } = await openStore(controlPlane);
    for (let version = 2; version <= 53; version++) await putInForce(store, version);
    await store.reconcile();
    await settle();
    for (const known of [store, follower]) {
      expect(versions(known)).toHaveLength(50);
      expect([known.document(3), known.document(4)?.placement.version]).toEqual([undefined, 4]);
    }
    for (const disk of [memory, followersMemory]) expect([...disk.keys()].filter(isDocument)).toHaveLength(50);
    expect(await controlPlane.placement.get('document/3')).toBeUndefined();
    expect(await controlPlane.placement.get('document/4')).toBeDefined();
  });

  it('never forgets what is in force, however many changes are taken back', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store, memory } = await openLeader(controlPlane);
    for (let version = 2; version <= 60; version++) await takeBack(store, 1, version);
    await store.writeDocument(placementDocument(61));
    await store.reconcile();
    expect(store.routing).toEqual(placementDocument(1).placement);
    expect(versions(store)).toEqual([61, 1]);
    for (const { store: other } of [
      await openStore(controlPlane),
      await openStore(new EmbeddedControlPlane(logger), memory),
    ])
      expect(other.inForce?.version).toBe(1);
  });

  it('forgets placements that were taken back everywhere, and gives their versions to no other', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store, memory } = await openLeader(controlPlane);
    const { store: follower, memory: followersMemory } = await openStore(controlPlane);
    await takeBack(store, 1, 2);
    await store.reconcile();
    await settle();
    for (const known of [store, follower]) {
      expect(versions(known)).toEqual([1]);
      expect(known.nextVersion).toBe(3);
    }
    expect([memory.has('document/2'), followersMemory.has('document/2')]).toEqual([false, false]);
    await follower.takeOffice(2);
    await follower.reconcile();
    expect(await controlPlane.placement.get('document/2')).toBeUndefined();
    for (const { store: other } of [
      await openStore(controlPlane),
      await openStore(new EmbeddedControlPlane(logger), memory),
    ])
      expect(other.nextVersion).toBe(3);
    await putInForce(follower, 3, 2);
    expect(versions(follower)).toEqual([3, 1]);
  });

  it('makes one change of admissions after the other', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store } = await openLeader(controlPlane);
    await Promise.all(
      ['a', 'b', 'c'].map((workerId) =>
        store.changeAdmissions(({ workers, untilRestart }) => ({
          workers: { ...workers, [workerId]: 'cordoned' },
          untilRestart,
        })),
      ),
    );
    expect(Object.keys(store.admissions.workers)).toEqual(['a', 'b', 'c']);
    expect((await openStore(controlPlane)).store.admissions).toEqual(store.admissions);
  });

  it('takes over from what the leader before has written last, which no watch has told yet', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store: former } = await openLeader(controlPlane);
    const late = new LateWatch(controlPlane.placement);
    const { store: next } = await openStore({ placement: late });
    late.hold();
    await former.changeAdmissions(() => ({ workers: { b: 'cordoned' }, untilRestart: {} }));
    await putInForce(former, 2);
    await next.takeOffice(2);
    expect(next.inForce).toMatchObject({ epoch: 2, version: 2, history: { inForce: [1, 2] } });
    expect(next.routing).toEqual(placementDocument(2).placement);
    expect(next.admissions.workers).toEqual({ b: 'cordoned' });
  });

  it('follows the leader that has deposed it, also when a write was refused before the watch told', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const late = new LateWatch(controlPlane.placement);
    const { store: former } = await openLeader({ placement: late });
    const { store: next } = await openStore(controlPlane);
    late.hold();
    await next.takeOffice(2);
    await putInForce(next, 2, 2);
    await expect(former.writeInForce({ formatVersion: 1, epoch: 1, version: 1 })).rejects.toThrow('epoch 2');
    late.release();
    expect(former.inForce).toMatchObject({ epoch: 2, version: 2 });
  });

  it('keeps a leader of before from writing admissions also where there have been none, and no placement', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store: former } = await openStore(controlPlane);
    const { store: next } = await openStore(controlPlane);
    await former.takeOffice(1);
    await next.takeOffice(2);
    const late = former.changeAdmissions(() => ({ workers: { a: 'cordoned' }, untilRestart: {} }));
    await expect(late).rejects.toThrow('another coordinator leads under epoch 2');
    expect((await openStore(controlPlane)).store.admissions.workers).toEqual({});
  });

  it('is not in office while it could not take over', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store: former } = await openLeader(controlPlane);
    const placement = new LateWatch(controlPlane.placement);
    const { store: next } = await openStore({ placement });
    placement.get = () => Promise.reject(new Error('no answer'));
    await expect(next.takeOffice(2)).rejects.toThrow('no answer');
    const early = next.writeInForce({ formatVersion: 1, epoch: 2, version: 1 });
    await expect(early).rejects.toMatchObject({ code: 'failed_precondition' });
    await putInForce(former, 2);
  });

  it('refuses what was decided in an office that is over, also of this coordinator', async () => {
    const { store } = await openLeader(new EmbeddedControlPlane(logger));
    store.leaveOffice();
    await store.takeOffice(3);
    const late = store.writeInForce({ formatVersion: 1, epoch: 1, version: 1 });
    await expect(late).rejects.toThrow('this was decided under epoch 1, and this coordinator leads under epoch 3');
    await expect(store.writeDocument(placementDocument(2))).rejects.toMatchObject({ code: 'failed_precondition' });
    expect(store.inForce?.epoch).toBe(3);
  });
});

const isDocument = (key: string): boolean => key.startsWith('document/');
