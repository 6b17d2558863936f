import { PlacementStore } from '@expertmesh/coordinator/control/placement/placement-store';
import { type PlacementDocument } from '@expertmesh/shared/cluster/placement-document';
import { type ControlPlane } from '@expertmesh/shared/control-plane/control-plane';
import { createLogger } from '@expertmesh/shared/process/logger';
import { settle } from './settle.js';

const logger = createLogger({ name: 'test', level: 'silent' });

/** What a coordinator leaves on its disk, without the disk. */
export class MemoryDisk extends Map<string, Uint8Array> {
  read(): Map<string, Uint8Array> {
    return new Map(this);
  }
  write(key: string, value: Uint8Array): void {
    this.set(key, value);
  }
}

/** Version by version the only other expert moves to and fro. */
export function placementDocument(version: number, storeId = 'store-1', epoch = 1): PlacementDocument {
  return {
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
  };
}

/** A coordinator's store of placements. */
export async function openStore(
  controlPlane: Pick<ControlPlane, 'placement'>,
  memory = new MemoryDisk(),
  isUsable = () => true,
) {
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
export async function openLeader(controlPlane: Pick<ControlPlane, 'placement'>, memory = new MemoryDisk()) {
  const opened = await openStore(controlPlane, memory);
  await opened.store.takeOffice(1);
  await putInForce(opened.store, 1);
  return opened;
}

export async function putInForce(store: PlacementStore, version: number, epoch = 1): Promise<void> {
  await store.writeDocument(placementDocument(version, 'store-1', epoch));
  await store.writeInForce({ formatVersion: 1, epoch, version });
}

/** A change to a version is begun and taken back. */
export async function takeBack(store: PlacementStore, from: number, toVersion: number): Promise<void> {
  await store.writeDocument(placementDocument(toVersion));
  await store.writeInForce({ formatVersion: 1, epoch: 1, version: from, change: { toVersion, doneLayers: [0] } });
  await store.writeInForce({ formatVersion: 1, epoch: 1, version: from });
}
