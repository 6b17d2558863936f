import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { expertBlobPath } from '@expertmesh/shared/expert-store/blob-path';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';

/** Whether two shards need the same session. */
export function isSameShard(a: LayerShard, b: LayerShard): boolean {
  return (
    a.layerIndex === b.layerIndex &&
    a.expertIds.length === b.expertIds.length &&
    a.expertIds.every((expertId, index) => expertId === b.expertIds[index])
  );
}

export const shardBlobPaths = ({ layerIndex, expertIds }: LayerShard): string[] =>
  expertIds.map((expertId) => expertBlobPath(layerIndex, expertId));

/** Size of the shard's blobs, as the manifest has it. */
export const packedBytesOf = (store: ExpertStore, shard: LayerShard): number =>
  shardBlobPaths(shard).reduce((sum, path) => sum + store.blob(path).sizeBytes, 0);
