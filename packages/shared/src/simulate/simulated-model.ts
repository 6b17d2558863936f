import { estimateMemoryBytes } from '../memory/memory-estimate.js';
import { type Quantisation } from '../expert-store/quantisation.js';
import { storeBlobs, type StoreBlob } from '../expert-store/store-blobs.js';
import { moeLayerIndices, type ModelSpec } from '../model/model-spec.js';

/** What a simulation needs to know of a model: bytes that are read and products that are computed. */
export interface SimulatedModel {
  readonly layerIndices: readonly number[];
  readonly numExperts: number;
  readonly topK: number;
  readonly hiddenSize: number;
  /** Packed bytes, which a step reads: of one expert, of the dense part of all layers, of the head. */
  readonly expertBytes: number;
  readonly denseBytes: number;
  readonly headBytes: number;
  /** Of one expert, in memory. */
  readonly expertMemoryBytes: number;
  /** Of the coordinator's part, in memory, without the KV cache. */
  readonly coordinatorMemoryBytes: number;
  /** Multiply-adds count twice. */
  readonly expertFlopsPerToken: number;
  readonly denseFlopsPerToken: number;
}

export function simulatedModel(spec: ModelSpec, quantisation: Quantisation): SimulatedModel {
  const blobs = storeBlobs(spec, quantisation);
  const sum = (kind: StoreBlob['content']['kind']): number =>
    blobs.reduce((bytes, { content, layout }) => (content.kind === kind ? bytes + layout.sizeBytes : bytes), 0);
  const layerIndices = moeLayerIndices(spec);
  const expertBytes = sum('expert') / Math.max(1, layerIndices.length * spec.numExperts);
  const coordinatorBytes = sum('embedding') + sum('head') + sum('dense-layer');
  const { hiddenSize, headDim, numHeads, numKvHeads, moeIntermediateSize, numLayers } = spec;
  return {
    layerIndices,
    numExperts: spec.numExperts,
    topK: spec.topK,
    hiddenSize,
    expertBytes,
    denseBytes: sum('dense-layer'),
    headBytes: spec.tieWordEmbeddings ? sum('embedding') : sum('head'),
    expertMemoryBytes: estimateMemoryBytes(expertBytes, quantisation, 'native'),
    coordinatorMemoryBytes: estimateMemoryBytes(coordinatorBytes, quantisation, 'native'),
    expertFlopsPerToken: 6 * hiddenSize * moeIntermediateSize,
    denseFlopsPerToken: 4 * numLayers * hiddenSize * headDim * (numHeads + numKvHeads),
  };
}
