import { moeLayerIndices, type ModelSpec } from '../model/model-spec.js';
import { denseLayerLayout, embeddingLayout, expertLayout, headLayout, type BlobLayout } from './blob-layout.js';
import { denseLayerBlobPath, EMBEDDING_BLOB_PATH, expertBlobPath, HEAD_BLOB_PATH } from './blob-path.js';
import { type Quantisation } from './quantisation.js';

/** What a blob of the store holds. */
export type BlobContent =
  | { readonly kind: 'embedding' }
  | { readonly kind: 'head' }
  | { readonly kind: 'dense-layer'; readonly layerIndex: number }
  | { readonly kind: 'expert'; readonly layerIndex: number; readonly expertId: number };

export interface StoreBlob {
  /** Relative to the store, as in the manifest. */
  readonly path: string;
  readonly content: BlobContent;
  readonly layout: BlobLayout;
}

/**
 * All blobs of a store, in the manifest's order: embedding, head, the dense part of each layer, then the experts. The
 * spec and the quantisation decide them completely.
 *
 * @throws ExpertmeshError `invalid_argument` when the block size does not divide a matrix's input dimension.
 */
export function storeBlobs(spec: ModelSpec, quantisation: Quantisation): StoreBlob[] {
  const denseLayers = spec.layerKinds.map((_, layerIndex) => ({
    path: denseLayerBlobPath(layerIndex),
    content: { kind: 'dense-layer', layerIndex } as const,
    layout: denseLayerLayout(spec, quantisation, layerIndex),
  }));
  const layout = expertLayout(spec, quantisation);
  const experts = moeLayerIndices(spec).flatMap((layerIndex) =>
    Array.from({ length: spec.numExperts }, (_, expertId) => ({
      path: expertBlobPath(layerIndex, expertId),
      content: { kind: 'expert', layerIndex, expertId } as const,
      layout,
    })),
  );
  return [
    { path: EMBEDDING_BLOB_PATH, content: { kind: 'embedding' }, layout: embeddingLayout(spec, quantisation) },
    { path: HEAD_BLOB_PATH, content: { kind: 'head' }, layout: headLayout(spec, quantisation) },
    ...denseLayers,
    ...experts,
  ];
}
