import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { EMBEDDING_BLOB_PATH } from '@expertmesh/shared/expert-store/blob-path';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';

/** Packed bytes of a store's parts. */
export interface StoreBytes {
  readonly total: number;
  /**
   * Everything that every step reads: projections, norms, routers and head. Of the embedding a step reads a few rows.
   */
  readonly dense: number;
  readonly experts: number;
}

export function storeBytes({ manifest }: Pick<ExpertStore, 'manifest'>): StoreBytes {
  const sum = (isWanted: (path: string) => boolean): number =>
    manifest.blobs.filter(({ path }) => isWanted(path)).reduce((bytes, blob) => bytes + blob.sizeBytes, 0);
  const isExpert = (path: string): boolean => path.startsWith('experts/');
  return {
    total: sum(() => true),
    dense: sum((path) => !isExpert(path) && path !== EMBEDDING_BLOB_PATH),
    experts: sum(isExpert),
  };
}

/** How many experts of a layer a batch is expected to need, if each token chooses topK of them at random. */
export function expectedActiveExperts({ numExperts, topK }: ModelSpec, batchSize: number): number {
  return numExperts * (1 - (1 - topK / numExperts) ** batchSize);
}

/** Bytes of weights that one decode step must read. */
export function bytesPerStep(spec: ModelSpec, bytes: StoreBytes, batchSize: number): number {
  return bytes.dense + (bytes.experts * expectedActiveExperts(spec, batchSize)) / spec.numExperts;
}

/** Operations that a prompt token needs: two per weight that it meets. Attention itself and the head are left out. */
export function flopsPerPromptToken(spec: ModelSpec): number {
  const { hiddenSize, headDim, numHeads, numKvHeads, topK, moeIntermediateSize, numExperts, numLayers } = spec;
  const projections = 2 * hiddenSize * headDim * (numHeads + numKvHeads);
  const experts = topK * 3 * hiddenSize * moeIntermediateSize;
  return 2 * numLayers * (projections + experts + hiddenSize * numExperts);
}
