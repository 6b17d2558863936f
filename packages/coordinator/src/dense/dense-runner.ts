import { type WholeLayersSeconds } from '@expertmesh/kernels/whole-layers';
import { type BlobVerification } from '@expertmesh/shared/expert-store/verification/blob-verification';
import { type AllExperts } from '../dispatch/expert-dispatcher.js';
import { type CacheView } from '../kv/cache-view.js';
import { type KvMemory } from '../kv/kv-memory.js';

/** Everything of the model but the experts. */
export interface DenseRunner {
  /** Where keys and values are. */
  readonly kv: KvMemory;
  /** fp32 [tokens, hidden] */
  embed(tokenIds: readonly number[]): Float32Array;
  /**
   * Prepares a pass of new rows, sequence after sequence, through the layers. Each cache has blocks for its sequence's
   * rows, and stays as it is until the pass has ended.
   */
  begin(sequences: readonly SequenceRows[]): DenseStep;
  /** fp32 [rows, hidden] to fp32 [rows, vocab], which holds until the next call; one call at a time. */
  logits(hidden: Float32Array): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Rows that follow those that a sequence's cache holds; no two sequences of a step write to the same block. */
export interface SequenceRows {
  readonly numRows: number;
  readonly cache: CacheView;
}

/** One pass through the layers, from the first to the last. */
export interface DenseStep {
  /**
   * Norms, projections, attention, and router or MLP of a layer; keys and values of the rows are written to the caches.
   *
   * @param hidden fp32 [rows, hidden]
   * @returns arrays that do not hold for long: `residual` until the next layer of this step but one, `routed` until the
   * next one.
   */
  layer(layerIndex: number, hidden: Float32Array): Promise<LayerOutput>;
  /**
   * All layers with their experts in one call; only where the native kernels compute.
   *
   * @param hidden fp32 [rows, hidden], read and written
   * @param areSumsExact whether experts' sums are those of workers that get units
   */
  readonly allLayers?: (hidden: Float32Array, experts: AllExperts, areSumsExact: boolean) => Promise<AllLayersOutput>;
}

export interface AllLayersOutput {
  readonly seconds: WholeLayersSeconds;
  /** Of the layers that have experts, in order. */
  readonly routes: readonly LayerRoutes[];
}

export interface LayerOutput {
  /** fp32 [rows, hidden]: the hidden state so far; the experts' sum is still to be added where there are experts. */
  readonly residual: Float32Array;
  /** Absent in a layer without experts. */
  readonly routed: RoutedRows | undefined;
}

/** What a layer's router has chosen. */
export interface LayerRoutes {
  /** [rows, top-k] */
  readonly expertIds: Int32Array;
  /** fp32 [rows, top-k] */
  readonly routingWeights: Float32Array;
  /** fp32 [experts]: the router's softmax over all experts, summed over the rows. */
  readonly probabilitySums: Float32Array;
}

export interface RoutedRows extends LayerRoutes {
  /** fp32 [rows, hidden]: what the experts read. */
  readonly normed: Float32Array;
}

export interface DenseLoadOptions {
  readonly kv: KvMemory;
  /** Waited for blob by blob; absent where all of them have been verified. */
  readonly verification?: Pick<BlobVerification, 'passed'>;
  /** Called after each of the model's blobs. */
  readonly onProgress?: (loaded: number, total: number) => void;
}
