import { IN_FORCE_KEY } from '@expertmesh/shared/cluster/cluster-keys';
import { encodePlacementInForce, type PlacementDocument } from '@expertmesh/shared/cluster/placement-document';
import { type ControlPlane } from '@expertmesh/shared/control-plane/control-plane';
import { EmbeddedControlPlane } from '@expertmesh/shared/control-plane/embedded-control-plane';
import { AuditRecord } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { createLogger } from '@expertmesh/shared/process/logger';
import { describe, expect, it } from 'vitest';
import { LateWatch } from '../../../../../test/kit/late-watch.js';
import { PlacementStore } from './placement-store.js';

const logger = createLogger({ name: 'test', level: 'silent' });

/** What a coordinator leaves on its disk, without the disk. */
class Memory extends Map<string, Uint8Array> {
  read(): Map<string, Uint8Array> {
    return new Map(this);
  }
  write(key: string, value: Uint8Array): void {
    this.set(key, value);
  }
}

const document = (version: number, storeId = 'store-1', epoch = 1): PlacementDocument => ({
  formatVersion: 1,
  storeId,
  epoch,
  policy: 'contiguous',
  actor: 'me',
  reason: 'a test',
  createdMs: 0,
  redundantExperts: 0,
  survive: 0,
  placement: { version, numExperts: 2, workerIds: ['a', 'b'], replicas: new Map([[0, [[0], [version % 2]]]]) },
});
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function open(controlPlane: Pick<ControlPlane, 'placement'>, memory = new Memory(), isUsable = () => true) {
  let numChanges = 0;
  const store = new PlacementStore({
    bucket: controlPlane.placement,
    storeId: 'store-1',
    stateDirectory: memory,
    isUsable,
    logger,
    onChange: () => (numChanges += 1),
  });
  await settle();
  return { store, memory, numChanges: () => numChanges };
}

/** A leader that has put version 1 in force. */
async function openLeader(controlPlane: Pick<ControlPlane, 'placement'>, memory = new Memory()) {
  const opened = await open(controlPlane, memory);
  await opened.store.takeOffice(1);
  await putInForce(opened.store, 1);
  return opened;
}

async function putInForce(store: PlacementStore, version: number, epoch = 1): Promise<void> {
  await store.writeDocument(document(version, 'store-1', epoch));
  await store.writeInForce({ formatVersion: 1, epoch, version });
}

/** A change to a version is begun and taken back. */
async function takeBack(store: PlacementStore, from: number, toVersion: number): Promise<void> {
  await store.writeDocument(document(toVersion));
  await store.writeInForce({ formatVersion: 1, epoch: 1, version: from, change: { toVersion, doneLayers: [0] } });
  await store.writeInForce({ formatVersion: 1, epoch: 1, version: from });
}

const versions = (store: PlacementStore): number[] => store.history(1000).map(({ placement }) => placement.version);

describe('PlacementStore', () => {
  it('tells others what the leader writes, and follows a change layer by layer', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const leader = await openLeader(controlPlane);
    const { store: follower } = await open(controlPlane);
    expect(follower.inForce).toMatchObject({ epoch: 1, version: 1, history: { inForce: [1], last: 1 } });
    expect(follower.routing).toEqual(document(1).placement);
    const { routing } = follower;
    await leader.store.writeDocument(document(2));
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
    const { store: next } = await open(controlPlane);
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
    await expect(store.writeDocument(document(2))).rejects.toMatchObject({ code: 'failed_precondition' });
  });

  it('goes on with what the last process left when the control plane is empty, and puts it back in office', async () => {
    const { memory, store } = await openLeader(new EmbeddedControlPlane(logger));
    await store.changeAdmissions(() => ({ workers: { b: 'cordoned' }, untilRestart: {} }));
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store: restarted } = await open(controlPlane, memory);
    expect(restarted.inForce?.version).toBe(1);
    expect(restarted.highestEpoch).toBe(1);
    await restarted.takeOffice(2);
    await restarted.reconcile();
    const { store: other } = await open(controlPlane);
    expect(other.inForce).toMatchObject({ epoch: 2, version: 1 });
    expect(other.routing).toEqual(document(1).placement);
    expect(other.admissions.workers).toEqual({ b: 'cordoned' });
  });

  it('forgets nothing when the control plane does, and puts it back in office', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store } = await openLeader(controlPlane);
    const record = AuditRecord.create({ timeMs: 1, actor: 'me' });
    await store.addAudit(record);
    for (const key of [IN_FORCE_KEY, 'document/1', 'audit/1']) await controlPlane.placement.delete(key);
    await settle();
    expect(store.routing).toEqual(document(1).placement);
    await store.reconcile();
    const { store: other } = await open(controlPlane);
    expect(other.routing).toEqual(document(1).placement);
    expect(other.audit(10)).toEqual([record]);
  });

  it('does not serve a placement of other weights, nor one that may not be served', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store: leader, memory } = await openLeader(controlPlane);
    await leader.writeDocument(document(4, 'store-2'));
    await leader.writeInForce({ formatVersion: 1, epoch: 1, version: 4 });
    await settle();
    expect(leader.inForce).toBeUndefined();
    expect(leader.nextVersion).toBe(5);
    await leader.writeInForce({ formatVersion: 1, epoch: 1, version: 1 });
    const { store: restarted } = await open(new EmbeddedControlPlane(logger), memory, () => false);
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
    expect((await open(controlPlane)).store.inForce?.epoch).toBe(3);
  });

  it('keeps the 50 placements that were in force last, on coordinators that do not write as well', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store, memory } = await openLeader(controlPlane);
    const { store: follower, memory: followersMemory } = await open(controlPlane);
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
    await store.writeDocument(document(61));
    await store.reconcile();
    expect(store.routing).toEqual(document(1).placement);
    expect(versions(store)).toEqual([61, 1]);
    for (const { store: other } of [await open(controlPlane), await open(new EmbeddedControlPlane(logger), memory)])
      expect(other.inForce?.version).toBe(1);
  });

  it('forgets placements that were taken back everywhere, and gives their versions to no other', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store, memory } = await openLeader(controlPlane);
    const { store: follower, memory: followersMemory } = await open(controlPlane);
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
    for (const { store: other } of [await open(controlPlane), await open(new EmbeddedControlPlane(logger), memory)])
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
    expect((await open(controlPlane)).store.admissions).toEqual(store.admissions);
  });

  it('takes over from what the leader before has written last, which no watch has told yet', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store: former } = await openLeader(controlPlane);
    const late = new LateWatch(controlPlane.placement);
    const { store: next } = await open({ placement: late });
    late.hold();
    await former.changeAdmissions(() => ({ workers: { b: 'cordoned' }, untilRestart: {} }));
    await putInForce(former, 2);
    await next.takeOffice(2);
    expect(next.inForce).toMatchObject({ epoch: 2, version: 2, history: { inForce: [1, 2] } });
    expect(next.routing).toEqual(document(2).placement);
    expect(next.admissions.workers).toEqual({ b: 'cordoned' });
  });

  it('follows the leader that has deposed it, also when a write was refused before the watch told', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const late = new LateWatch(controlPlane.placement);
    const { store: former } = await openLeader({ placement: late });
    const { store: next } = await open(controlPlane);
    late.hold();
    await next.takeOffice(2);
    await putInForce(next, 2, 2);
    await expect(former.writeInForce({ formatVersion: 1, epoch: 1, version: 1 })).rejects.toThrow('epoch 2');
    late.release();
    expect(former.inForce).toMatchObject({ epoch: 2, version: 2 });
  });

  it('keeps a leader of before from writing admissions also where there have been none, and no placement', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store: former } = await open(controlPlane);
    const { store: next } = await open(controlPlane);
    await former.takeOffice(1);
    await next.takeOffice(2);
    const late = former.changeAdmissions(() => ({ workers: { a: 'cordoned' }, untilRestart: {} }));
    await expect(late).rejects.toThrow('another coordinator leads under epoch 2');
    expect((await open(controlPlane)).store.admissions.workers).toEqual({});
  });

  it('is not in office while it could not take over', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store: former } = await openLeader(controlPlane);
    const placement = new LateWatch(controlPlane.placement);
    const { store: next } = await open({ placement });
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
    await expect(store.writeDocument(document(2))).rejects.toMatchObject({ code: 'failed_precondition' });
    expect(store.inForce?.epoch).toBe(3);
  });
});

const isDocument = (key: string): boolean => key.startsWith('document/');
