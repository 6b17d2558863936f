import { type ComputeBackend } from '@expertmesh/compute/compute-backend';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { shardBlobPaths } from '@expertmesh/shared/expert-store/shard-blobs';
import { BlobVerification, type VerifyOptions } from '@expertmesh/shared/expert-store/verification/blob-verification';
import { type DenseRunner } from '../../dense/dense-runner.js';
import { loadDenseRunner } from '../../dense/load-dense-runner.js';
import { denseBlobPaths } from '../../dense/verified-dense-blobs.js';
import { type KvMemory } from '../../kv/kv-memory.js';
import { LocalExperts } from '../../dispatch/local-experts.js';

export interface LoadedModel {
  readonly dense: DenseRunner;
  /** Absent where workers have all experts. */
  readonly local: LocalExperts | undefined;
}

/**
 * Verifies and loads what this process computes of a model; progress counts dense blobs and layers of local experts.
 */
export async function loadModel(
  store: ExpertStore,
  backend: ComputeBackend,
  kv: KvMemory,
  localShards: readonly LayerShard[],
  verify: VerifyOptions,
  onProgress: (loaded: number, total: number) => void,
): Promise<LoadedModel> {
  const expertPaths = localShards.flatMap(shardBlobPaths);
  const verification = new BlobVerification(store, [...denseBlobPaths(store.spec), ...expertPaths], verify);
  try {
    return await load(store, backend, kv, localShards, verification, onProgress);
  } finally {
    await verification.end();
  }
}

async function load(
  store: ExpertStore,
  backend: ComputeBackend,
  kv: KvMemory,
  localShards: readonly LayerShard[],
  verification: BlobVerification,
  onProgress: (loaded: number, total: number) => void,
): Promise<LoadedModel> {
  let numDense = 0;
  const dense = await loadDenseRunner(store, backend, {
    kv,
    verification,
    onProgress: (loaded, total) => {
      numDense = total;
      onProgress(loaded, total + localShards.length);
    },
  });
  if (localShards.length === 0) return { dense, local: undefined };
  let numLayers = 0;
  const onLayer = (): void => {
    numLayers += 1;
    onProgress(numDense + numLayers, numDense + localShards.length);
  };
  const local = await LocalExperts.load(store, backend, localShards, onLayer, verification);
  return { dense, local };
}
