import { IN_FORCE_KEY } from '@expertmesh/shared/cluster/cluster-keys';
import { encodePlacementInForce, type PlacementDocument } from '@expertmesh/shared/cluster/placement-document';
import { type ControlPlane } from '@expertmesh/shared/control-plane/control-plane';
import { EmbeddedControlPlane } from '@expertmesh/shared/control-plane/embedded-control-plane';
import { AuditRecord } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { createLogger } from '@expertmesh/shared/process/logger';
import { describe, expect, it } from 'vitest';
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

async function open(controlPlane: ControlPlane, memory = new Memory(), isUsable = () => true) {
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
async function openLeader(controlPlane: ControlPlane, memory = new Memory()) {
  const opened = await open(controlPlane, memory);
  await opened.store.takeOffice(1);
  await opened.store.writeDocument(document(1));
  await opened.store.writeInForce({ formatVersion: 1, epoch: 1, version: 1 });
  return opened;
}

describe('PlacementStore', () => {
  it('tells others what the leader writes, and follows a change layer by layer', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const leader = await openLeader(controlPlane);
    const { store: follower } = await open(controlPlane);
    expect(follower.inForce).toEqual({ formatVersion: 1, epoch: 1, version: 1 });
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
    expect(follower.history(5).map(({ placement }) => placement.version)).toEqual([2, 1]);
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
    await store.writeAdmissions({ formatVersion: 1, workers: { b: 'cordoned' }, untilRestart: {} });
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store: restarted } = await open(controlPlane, memory);
    expect(restarted.inForce?.version).toBe(1);
    expect(restarted.highestEpoch).toBe(1);
    await restarted.takeOffice(2);
    await restarted.putBack();
    const { store: other } = await open(controlPlane);
    expect(other.inForce).toEqual({ formatVersion: 1, epoch: 2, version: 1 });
    expect(other.routing).toEqual(document(1).placement);
    expect(other.admissions.workers).toEqual({ b: 'cordoned' });
  });

  it('forgets nothing when the control plane does, and puts it back in office', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store } = await openLeader(controlPlane);
    await controlPlane.placement.delete(IN_FORCE_KEY);
    await controlPlane.placement.delete('document/1');
    await settle();
    expect(store.routing).toEqual(document(1).placement);
    await store.putBack();
    expect((await open(controlPlane)).store.routing).toEqual(document(1).placement);
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
    expect(restarted.nextVersion).toBe(2);
  });

  it('passes over documents that are broken or of an earlier epoch', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store } = await openLeader(controlPlane);
    await store.takeOffice(3);
    const old = encodePlacementInForce({ formatVersion: 1, epoch: 1, version: 9 });
    await controlPlane.placement.put(IN_FORCE_KEY, old);
    await controlPlane.placement.put('document/5', new TextEncoder().encode('{'));
    await settle();
    expect(store.inForce).toEqual({ formatVersion: 1, epoch: 3, version: 1 });
    await store.writeInForce({ formatVersion: 1, epoch: 3, version: 1 });
    expect((await open(controlPlane)).store.inForce?.epoch).toBe(3);
  });

  it('keeps the last 50 documents', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store, memory } = await openLeader(controlPlane);
    for (let version = 2; version <= 53; version++) await store.writeDocument(document(version));
    expect(store.history(100).map(({ placement }) => placement.version)).toHaveLength(50);
    expect(store.document(3)).toBeUndefined();
    expect(store.document(4)).toBeDefined();
    expect(memory.has('document/3')).toBe(false);
    expect(await controlPlane.placement.get('document/3')).toBeUndefined();
  });

  it('keeps the last 200 audit records, newest first, also over a restart', async () => {
    const controlPlane = new EmbeddedControlPlane(logger);
    const { store, memory } = await openLeader(controlPlane);
    for (let timeMs = 1; timeMs <= 203; timeMs++) await store.addAudit(AuditRecord.create({ timeMs, actor: 'me' }));
    expect(store.audit(2).map(({ timeMs }) => timeMs)).toEqual([203, 202]);
    const { store: other } = await open(controlPlane);
    expect(other.audit(1000).map(({ timeMs }) => timeMs)).toHaveLength(200);
    const { store: restarted } = await open(new EmbeddedControlPlane(logger), memory);
    expect(restarted.audit(1)).toEqual([AuditRecord.create({ timeMs: 203, actor: 'me' })]);
  });
});
