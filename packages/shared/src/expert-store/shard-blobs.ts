import { type LayerShard } from '../gen/expertmesh/v1/worker.js';
import { expertBlobPath } from './blob-path.js';
import { type ExpertStore } from './expert-store.js';

export const shardBlobPaths = ({ layerIndex, expertIds }: LayerShard): string[] =>
  expertIds.map((expertId) => expertBlobPath(layerIndex, expertId));

/** Size of the shard's blobs, as the manifest has it. */
export const packedBytesOf = (store: Pick<ExpertStore, 'blob'>, shard: LayerShard): number =>
  shardBlobPaths(shard).reduce((sum, path) => sum + store.blob(path).sizeBytes, 0);

export const packedBytesOfAll = (store: Pick<ExpertStore, 'blob'>, shards: readonly LayerShard[]): number =>
  shards.reduce((sum, shard) => sum + packedBytesOf(store, shard), 0);
