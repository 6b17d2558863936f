import { type LayerShard } from '../gen/expertmesh/v1/worker.js';
import { expertBlobPath } from './blob-path.js';
import { type ExpertStore } from './expert-store.js';

export function shardBlobPaths({ layerIndex, expertIds }: LayerShard): string[] {
  return expertIds.map((expertId) => expertBlobPath(layerIndex, expertId));
}

/** Size of the shard's blobs, as the manifest has it. */
export function packedBytesOf(store: Pick<ExpertStore, 'blob'>, shard: LayerShard): number {
  return shardBlobPaths(shard).reduce((sum, path) => sum + store.blob(path).sizeBytes, 0);
}

export function packedBytesOfAll(store: Pick<ExpertStore, 'blob'>, shards: readonly LayerShard[]): number {
  return shards.reduce((sum, shard) => sum + packedBytesOf(store, shard), 0);
}
