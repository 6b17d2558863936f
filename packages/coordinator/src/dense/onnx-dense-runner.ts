import { type ComputeBackend } from '@expertmesh/compute/compute-backend';
import { EmbeddingReader } from '@expertmesh/shared/expert-store/embedding-reader';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { buildHeadGraph, buildPostAttentionGraph, buildQkvGraph } from '@expertmesh/shared/onnx/dense-graph';
import { graphForm } from '@expertmesh/shared/onnx/onnx-provider';
import { createOnnxSession, type OnnxSession, type OnnxTensor } from '@expertmesh/shared/onnx/session';
import {
  type DenseLoadOptions,
  type DenseRunner,
  type DenseStep,
  type LayerOutput,
  type SequenceRows,
} from './dense-runner.js';
import { type KvMemory } from '../kv/kv-memory.js';
import { HostAttention } from './host-attention.js';
import { rotaryRows, totalRows } from './rotary-rows.js';
import { RotaryTable } from './rotary-table.js';
import { verifiedDenseBlobs } from './verified-dense-blobs.js';

interface LayerSessions {
  readonly qkv: OnnxSession;
  readonly postAttention: OnnxSession;
}

export type OnnxBackend = Extract<ComputeBackend, { kind: 'onnx' }>;

/** On ONNX Runtime. Every call blocks the thread while it computes. */
export class OnnxDenseRunner implements DenseRunner {
  readonly kv: KvMemory;
  readonly #spec: ModelSpec;
  readonly #embedding: EmbeddingReader;
  readonly #layers: readonly LayerSessions[];
  readonly #attention: HostAttention;
  readonly #head: OnnxSession;
  readonly #rotary: RotaryTable;
  #rowIndex = new BigInt64Array();

  private constructor(
    store: ExpertStore,
    kv: KvMemory,
    layers: readonly LayerSessions[],
    attention: HostAttention,
    head: OnnxSession,
  ) {
    const { spec } = store;
    this.kv = kv;
    this.#spec = spec;
    this.#embedding = new EmbeddingReader(store);
    this.#layers = layers;
    this.#attention = attention;
    this.#head = head;
    this.#rotary = new RotaryTable(spec.headDim, spec.ropeTheta);
  }

  /** Verifies and loads the dense blobs of a store, layer by layer. */
  static async load(
    store: ExpertStore,
    { provider, numThreads }: OnnxBackend,
    options: DenseLoadOptions,
  ): Promise<OnnxDenseRunner> {
    const { spec, quantisation } = store;
    const form = graphForm(provider);
    const attention = await HostAttention.load(spec, numThreads, options.kv);
    const session = (graph: Uint8Array): Promise<OnnxSession> =>
      createOnnxSession(graph, { weightsDir: store.dir, numThreads, provider });
    const layers: LayerSessions[] = [];
    let head: OnnxSession | undefined;
    for await (const blob of verifiedDenseBlobs(store, options)) {
      if (blob.kind === 'layer')
        layers.push({
          qkv: await session(buildQkvGraph(spec, quantisation, blob.layerIndex, form)),
          postAttention: await session(buildPostAttentionGraph(spec, quantisation, blob.layerIndex, form)),
        });
      if (blob.kind === 'head') head = await session(buildHeadGraph(spec, quantisation, form));
    }
    if (head === undefined) throw new ExpertmeshError('internal', 'the store has no head');
    return new OnnxDenseRunner(store, options.kv, layers, attention, head);
  }

  embed(tokenIds: readonly number[]): Float32Array {
    return this.#embedding.rowsOf(tokenIds);
  }

  begin(sequences: readonly SequenceRows[]): DenseStep {
    const numRows = totalRows(sequences);
    const { cos, sin } = rotaryRows(this.#rotary, sequences);
    const positions = {
      cos: fp32(cos, numRows),
      sin: fp32(sin, numRows),
      row_index: { type: 'int64', dims: [1, numRows], data: this.#rowIndices(numRows) },
    } as const;
    return {
      layer: async (layerIndex, hidden) => {
        const layer = this.#layer(layerIndex);
        const qkv = await layer.qkv.run({ hidden: fp32(hidden, numRows), ...positions });
        const context = await this.#attention.run(layerIndex, sequences, qkv);
        return this.#postAttention(layerIndex, layer, hidden, context);
      },
    };
  }

  async logits(hidden: Float32Array): Promise<Float32Array> {
    const outputs = await this.#head.run({ hidden: fp32(hidden, hidden.length / this.#spec.hiddenSize) });
    return outputs.float32('logits');
  }

  async close(): Promise<void> {
    this.#embedding.close();
    const sessions = this.#layers.flatMap((layer) => [layer.qkv, layer.postAttention]);
    for (const session of [...sessions, this.#head]) await session.release();
    await this.#attention.close();
  }

  async #postAttention(
    layerIndex: number,
    layer: LayerSessions,
    hidden: Float32Array,
    context: Float32Array,
  ): Promise<LayerOutput> {
    const numRows = hidden.length / this.#spec.hiddenSize;
    const outputs = await layer.postAttention.run({ hidden: fp32(hidden, numRows), context: fp32(context, numRows) });
    const residual = outputs.float32('residual');
    if (this.#spec.layerKinds[layerIndex] === 'mlp') return { residual, routed: undefined };
    const routed = {
      normed: outputs.float32('normed'),
      expertIds: outputs.int32('expert_ids'),
      routingWeights: outputs.float32('routing_weights'),
      probabilitySums: outputs.float32('probability_sums'),
    };
    return { residual, routed };
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
