import { type NetworkAddress, formatNetworkAddress } from '@expertmesh/shared/config/network-address';
import { numReplicasIn, type Shards } from '../placement/shards.js';
import { type KnownWorker } from './known-workers.js';

/** A worker asks them one after the other for each file. */
const MAX_SOURCES = 8;

/**
 * Whom a worker may ask for files of experts that its disk lacks: workers that are up, those first that hold most of
 * what it is to hold, and at last this coordinator, whose disk may have all.
 */
export function fileSources(
  workerId: string,
  shards: Shards,
  workers: readonly KnownWorker[],
  addresses: {
    readonly controlAddress: (workerId: string) => NetworkAddress | undefined;
    readonly ownAddress: string | undefined;
  },
): string[] {
  const peers = workers
    .filter((worker) => worker.workerId !== workerId && worker.state === 'up')
    .map((worker) => ({ worker, numShared: numReplicasIn(sharedShards(worker.holds, shards)) }))
    .sort((a, b) => b.numShared - a.numShared)
    .flatMap(({ worker }) => addresses.controlAddress(worker.workerId) ?? [])
    .slice(0, MAX_SOURCES - 1)
    .map(formatNetworkAddress);
  return [...peers, ...(addresses.ownAddress === undefined ? [] : [addresses.ownAddress])];
}

function sharedShards(a: Shards, b: Shards): Shards {
  const byLayer = new Map(a.map(({ layerIndex, expertIds }) => [layerIndex, new Set(expertIds)]));
  return b.map(({ layerIndex, expertIds }) => ({
    layerIndex,
    expertIds: expertIds.filter((expertId) => byLayer.get(layerIndex)?.has(expertId) === true),
  }));
}
