import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { buildAttentionGraph } from '@expertmesh/shared/onnx/attention-graph';
import { buildPostAttentionGraph, buildQkvGraph } from '@expertmesh/shared/onnx/dense-graph';
import { createOnnxSession, type OnnxSession, type OnnxTensor } from '@expertmesh/shared/onnx/session';

/**
 * Rows of one sequence behind the `length` tokens that its cache holds, which is fp32 [kv heads, capacity, head_dim].
 */
export interface OnnxSequence {
  readonly numRows: number;
  readonly keys: Float32Array;
  readonly values: Float32Array;
  readonly capacity: number;
  readonly length: number;
}

export interface OnnxDenseOutputs {
  readonly residual: Float32Array;
  readonly normed: Float32Array | undefined;
  readonly expertIds: Int32Array | undefined;
  readonly routingWeights: Float32Array | undefined;
  readonly probabilitySums: Float32Array | undefined;
}

/** The dense part of a layer by the product's ONNX graphs: what other ways of computing it are compared with. */
export class OnnxDenseLayer {
  readonly #spec: ModelSpec;
  readonly #isMoe: boolean;
  readonly #qkv: OnnxSession;
  readonly #attention: OnnxSession;
  readonly #postAttention: OnnxSession;

  private constructor(spec: ModelSpec, layerIndex: number, sessions: readonly [OnnxSession, OnnxSession, OnnxSession]) {
    this.#spec = spec;
    this.#isMoe = spec.layerKinds[layerIndex] === 'moe';
    [this.#qkv, this.#attention, this.#postAttention] = sessions;
  }

  static async load(
    storeDir: string,
    spec: ModelSpec,
    quantisation: Quantisation,
    layerIndex: number,
  ): Promise<OnnxDenseLayer> {
    const load = (graph: Uint8Array): Promise<OnnxSession> =>
      createOnnxSession(graph, { weightsDir: storeDir, numThreads: 1 });
    return new OnnxDenseLayer(spec, layerIndex, [
      await load(buildQkvGraph(spec, quantisation, layerIndex)),
      await load(buildAttentionGraph(spec)),
      await load(buildPostAttentionGraph(spec, quantisation, layerIndex)),
    ]);
  }

  /** Writes the new keys and values into the caches. */
  async run(
    hidden: Float32Array,
    cos: Float32Array,
    sin: Float32Array,
    sequences: readonly OnnxSequence[],
  ): Promise<OnnxDenseOutputs> {
    const numRows = hidden.length / this.#spec.hiddenSize;
    const qkv = await this.#qkv.run({
      hidden: rows(hidden, numRows),
      cos: rows(cos, numRows),
      sin: rows(sin, numRows),
      row_index: {
        type: 'int64',
        dims: [1, numRows],
        data: BigInt64Array.from({ length: numRows }, (_, i) => BigInt(i)),
      },
    });
    const size = this.#spec.numHeads * this.#spec.headDim;
    const context = new Float32Array(numRows * size);
    let row = 0;
    for (const sequence of sequences) {
      this.#store(sequence, qkv.float32('k'), qkv.float32('v'), row);
      context.set(await this.#attend(sequence, qkv.float32('q'), row), row * size);
      row += sequence.numRows;
    }
    const outputs = await this.#postAttention.run({
      hidden: rows(hidden, numRows),
      context: rows(context, numRows),
    });
    return {
      residual: outputs.float32('residual'),
      normed: this.#isMoe ? outputs.float32('normed') : undefined,
      expertIds: this.#isMoe ? outputs.int32('expert_ids') : undefined,
      routingWeights: this.#isMoe ? outputs.float32('routing_weights') : undefined,
      probabilitySums: this.#isMoe ? outputs.float32('probability_sums') : undefined,
    };
  }

  async release(): Promise<void> {
    for (const session of [this.#qkv, this.#attention, this.#postAttention]) await session.release();
  }

  #store(
    { numRows, keys, values, capacity, length }: OnnxSequence,
    k: Float32Array,
    v: Float32Array,
    row: number,
  ): void {
    const { numKvHeads, headDim } = this.#spec;
    for (let i = 0; i < numRows; i++)
      for (let head = 0; head < numKvHeads; head++) {
        const from = ((row + i) * numKvHeads + head) * headDim;
        const to = (head * capacity + length + i) * headDim;
        keys.set(k.subarray(from, from + headDim), to);
        values.set(v.subarray(from, from + headDim), to);
      }
  }

  async #attend(
    { numRows, keys, values, capacity, length }: OnnxSequence,
    q: Float32Array,
    row: number,
  ): Promise<Float32Array> {
    const { numHeads, numKvHeads, headDim } = this.#spec;
    const mask = new Float32Array(numRows * capacity);
    for (let i = 0; i < numRows; i++) mask.fill(-Infinity, i * capacity + length + i + 1, (i + 1) * capacity);
    const dims = [numKvHeads, capacity, headDim];
    const size = numHeads * headDim;
    const outputs = await this.#attention.run({
      q: rows(q.subarray(row * size, (row + numRows) * size), numRows),
      keys: { type: 'float32', dims, data: keys },
      values: { type: 'float32', dims, data: values },
      mask: rows(mask, numRows),
    });
    return outputs.float32('context');
  }
}

const rows = (data: Float32Array, numRows: number): OnnxTensor => ({
  type: 'float32',
  dims: [numRows, data.length / numRows],
  data,
});
