import { EmbeddingReader } from '@expertmesh/shared/expert-store/embedding-reader';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { verifyBlob } from '@expertmesh/shared/expert-store/verify-blob';
import { denseLayerBlobPath, EMBEDDING_BLOB_PATH, HEAD_BLOB_PATH } from '@expertmesh/shared/expert-store/blob-path';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { buildAttentionGraph } from '@expertmesh/shared/onnx/attention-graph';
import { buildHeadGraph, buildPostAttentionGraph, buildQkvGraph } from '@expertmesh/shared/onnx/dense-graph';
import { createOnnxSession, type OnnxSession, type OnnxTensor } from '@expertmesh/shared/onnx/session';
import { type KvCache } from './kv-cache.js';

/** Cosine and sine of each row's position, fp32 [rows, head_dim / 2]. */
export interface RotaryRows {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

export interface Qkv {
  /** fp32 [rows, heads * head_dim] */
  readonly q: Float32Array;
  /** fp32 [rows, kv heads * head_dim] */
  readonly k: Float32Array;
  readonly v: Float32Array;
}

export interface PostAttention {
  /** fp32 [rows, hidden]: the hidden state so far; the experts' sum is still to be added where there are experts. */
  readonly residual: Float32Array;
  readonly routed: RoutedRows | undefined;
}

export interface RoutedRows {
  /** fp32 [rows, hidden]: what the experts read. */
  readonly normed: Float32Array;
  /** [rows, top-k] */
  readonly expertIds: Int32Array;
  /** fp32 [rows, top-k] */
  readonly routingWeights: Float32Array;
}

interface LayerSessions {
  readonly qkv: OnnxSession;
  readonly postAttention: OnnxSession;
}

export interface DenseRunnerOptions {
  readonly numThreads: number;
  /** Called after each of the model's blobs. */
  readonly onProgress?: (loaded: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Everything of the model but the experts, on ONNX Runtime. Every call blocks the thread while it computes. */
export class DenseRunner {
  readonly #spec: ModelSpec;
  readonly #embedding: EmbeddingReader;
  readonly #layers: readonly LayerSessions[];
  readonly #attention: OnnxSession;
  readonly #head: OnnxSession;
  #rowIndex = new BigInt64Array();

  private constructor(
    spec: ModelSpec,
    embedding: EmbeddingReader,
    layers: readonly LayerSessions[],
    attention: OnnxSession,
    head: OnnxSession,
  ) {
    this.#spec = spec;
    this.#embedding = embedding;
    this.#layers = layers;
    this.#attention = attention;
    this.#head = head;
  }

  /** Verifies and loads the dense blobs of a store, layer by layer. */
  static async load(store: ExpertStore, options: DenseRunnerOptions): Promise<DenseRunner> {
    const { spec, quantisation } = store;
    const total = spec.numLayers + 2;
    const session = (graph: Uint8Array): Promise<OnnxSession> =>
      createOnnxSession(graph, { weightsDir: store.dir, numThreads: options.numThreads });
    await verifyBlob(store, EMBEDDING_BLOB_PATH, options.signal);
    options.onProgress?.(1, total);
    const layers: LayerSessions[] = [];
    for (let layerIndex = 0; layerIndex < spec.numLayers; layerIndex++) {
      await verifyBlob(store, denseLayerBlobPath(layerIndex), options.signal);
      layers.push({
        qkv: await session(buildQkvGraph(spec, quantisation, layerIndex)),
        postAttention: await session(buildPostAttentionGraph(spec, quantisation, layerIndex)),
      });
      options.onProgress?.(layerIndex + 2, total);
    }
    await verifyBlob(store, HEAD_BLOB_PATH, options.signal);
    const head = await session(buildHeadGraph(spec, quantisation));
    options.onProgress?.(total, total);
    return new DenseRunner(spec, new EmbeddingReader(store), layers, await session(buildAttentionGraph(spec)), head);
  }

  /** fp32 [tokens, hidden] */
  embed(tokenIds: readonly number[]): Float32Array {
    const rows = new Float32Array(tokenIds.length * this.#spec.hiddenSize);
    this.#embedding.readRows(tokenIds, rows);
    return rows;
  }

  async qkv(layerIndex: number, hidden: Float32Array, rotary: RotaryRows): Promise<Qkv> {
    const numRows = hidden.length / this.#spec.hiddenSize;
    const outputs = await this.#layer(layerIndex).qkv.run({
      hidden: fp32(hidden, numRows),
      cos: fp32(rotary.cos, numRows),
      sin: fp32(rotary.sin, numRows),
      row_index: { type: 'int64', dims: [1, numRows], data: this.#rowIndices(numRows) },
    });
    return { q: outputs.float32('q'), k: outputs.float32('k'), v: outputs.float32('v') };
  }

  /**
   * Attention of one sequence's rows over its cache, which holds their keys and values already.
   *
   * @param q fp32 [rows, heads * head_dim]
   * @param mask fp32 [rows, capacity]
   * @returns fp32 [rows, heads * head_dim]
   */
  async attention(layerIndex: number, q: Float32Array, cache: KvCache, mask: Float32Array): Promise<Float32Array> {
    const { numHeads, numKvHeads, headDim } = this.#spec;
    const dims = [numKvHeads, cache.capacity, headDim];
    const outputs = await this.#attention.run({
      q: fp32(q, q.length / (numHeads * headDim)),
      keys: { type: 'float32', dims, data: cache.keys(layerIndex) },
      values: { type: 'float32', dims, data: cache.values(layerIndex) },
      mask: fp32(mask, mask.length / cache.capacity),
    });
    return outputs.float32('context');
  }

  async postAttention(layerIndex: number, hidden: Float32Array, context: Float32Array): Promise<PostAttention> {
    const numRows = hidden.length / this.#spec.hiddenSize;
    const outputs = await this.#layer(layerIndex).postAttention.run({
      hidden: fp32(hidden, numRows),
      context: fp32(context, numRows),
    });
    const residual = outputs.float32('residual');
    if (this.#spec.layerKinds[layerIndex] === 'mlp') return { residual, routed: undefined };
    const routed = {
      normed: outputs.float32('normed'),
      expertIds: outputs.int32('expert_ids'),
      routingWeights: outputs.float32('routing_weights'),
    };
    return { residual, routed };
  }

  /** fp32 [rows, hidden] to fp32 [rows, vocab]. */
  async logits(hidden: Float32Array): Promise<Float32Array> {
    const outputs = await this.#head.run({ hidden: fp32(hidden, hidden.length / this.#spec.hiddenSize) });
    return outputs.float32('logits');
  }

  async close(): Promise<void> {
    this.#embedding.close();
    const sessions = this.#layers.flatMap((layer) => [layer.qkv, layer.postAttention]);
    for (const session of [...sessions, this.#attention, this.#head]) await session.release();
  }

  #layer(layerIndex: number): LayerSessions {
    const layer = this.#layers[layerIndex];
    if (layer === undefined) throw new ExpertmeshError('internal', `the model has no layer ${String(layerIndex)}`);
    return layer;
  }

  #rowIndices(numRows: number): BigInt64Array {
    if (this.#rowIndex.length < numRows)
      this.#rowIndex = BigInt64Array.from({ length: numRows }, (_, index) => BigInt(index));
    return this.#rowIndex.subarray(0, numRows);
  }
}

const fp32 = (data: Float32Array, numRows: number): OnnxTensor => ({
  type: 'float32',
  dims: [numRows, data.length / numRows],
  data,
});
