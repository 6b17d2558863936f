import { denseLayerBlobPath, EMBEDDING_BLOB_PATH, HEAD_BLOB_PATH } from '@expertmesh/shared/expert-store/blob-path';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { type DenseLoadOptions } from './dense-runner.js';

export type DenseBlob =
  { readonly kind: 'embedding' } | { readonly kind: 'layer'; readonly layerIndex: number } | { readonly kind: 'head' };

/**
 * The dense blobs of a store in the order in which they are needed, each verified; progress counts those that the
 * caller has dealt with.
 */
export async function* verifiedDenseBlobs(
  { spec }: ExpertStore,
  { verification, onProgress }: DenseLoadOptions,
): AsyncGenerator<DenseBlob> {
  const blobs = denseBlobs(spec);
  for (const [index, blob] of blobs.entries()) {
    await verification?.passed([pathOf(blob)]);
    yield blob;
    onProgress?.(index + 1, blobs.length);
  }
}

/** Their paths, in the same order. */
export function denseBlobPaths(spec: ModelSpec): string[] {
  return denseBlobs(spec).map(pathOf);
}

const denseBlobs = ({ numLayers }: ModelSpec): DenseBlob[] => [
  { kind: 'embedding' },
  ...Array.from({ length: numLayers }, (_, layerIndex) => ({ kind: 'layer', layerIndex }) as const),
  { kind: 'head' },
];

function pathOf(blob: DenseBlob): string {
  switch (blob.kind) {
    case 'embedding':
      return EMBEDDING_BLOB_PATH;
    case 'layer':
      return denseLayerBlobPath(blob.layerIndex);
    case 'head':
      return HEAD_BLOB_PATH;
  }
}
