import { MAX_ATTENTION_SCORES } from '@expertmesh/shared/limits/limits';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { buildAttentionGraph } from '@expertmesh/shared/onnx/attention-graph';
import { createOnnxSession, type OnnxOutputs, type OnnxSession } from '@expertmesh/shared/onnx/session';
import { type SequenceRows } from './dense-runner.js';
import { hostCache, KvCache } from '../kv/kv-cache.js';
import { type OnnxAttention, type StepAttention, type StepContext } from './onnx-attention.js';

/** Attention on the CPU over caches in JavaScript arrays. */
export class HostAttention implements OnnxAttention {
  readonly deviceInputs = [];
  readonly #spec: ModelSpec;
  readonly #session: OnnxSession;

  private constructor(spec: ModelSpec, session: OnnxSession) {
    this.#spec = spec;
    this.#session = session;
  }

  static async load(spec: ModelSpec, numThreads: number): Promise<HostAttention> {
    return new HostAttention(spec, await createOnnxSession(buildAttentionGraph(spec), { numThreads }));
  }

  createCache(maxTokens: number): KvCache {
    return new KvCache(this.#spec, maxTokens);
  }

  begin(sequences: readonly SequenceRows[]): StepAttention {
    return new HostStepAttention(this.#spec, this.#session, sequences);
  }

  close(): Promise<void> {
    return this.#session.release();
  }
}

interface HostRows {
  readonly numRows: number;
  readonly cache: KvCache;
  /** fp32 [rows, cache capacity] */
  readonly mask: Float32Array;
}

class HostStepAttention implements StepAttention {
  readonly #spec: ModelSpec;
  readonly #session: OnnxSession;
  readonly #sequences: readonly HostRows[];

  constructor(spec: ModelSpec, session: OnnxSession, sequences: readonly SequenceRows[]) {
    this.#spec = spec;
    this.#session = session;
    this.#sequences = sequences.map(({ numRows, cache: anyCache }) => {
      const cache = hostCache(anyCache);
      return { numRows, cache, mask: causalMask(cache.length, numRows, cache.capacity) };
    });
  }

  async run(layerIndex: number, qkv: OnnxOutputs): Promise<StepContext> {
    const [q, k, v] = [qkv.float32('q'), qkv.float32('k'), qkv.float32('v')];
    const qSize = this.#spec.numHeads * this.#spec.headDim;
    const context = new Float32Array(q.length);
    let rowIndex = 0;
    for (const { cache, numRows, mask } of this.#sequences) {
      cache.write(layerIndex, k, v, rowIndex, numRows);
      const maxRows = Math.max(1, Math.floor(MAX_ATTENTION_SCORES / (this.#spec.numHeads * cache.capacity)));
      for (let row = 0; row < numRows; row += maxRows) {
        const endRow = Math.min(row + maxRows, numRows);
        const queries = q.subarray((rowIndex + row) * qSize, (rowIndex + endRow) * qSize);
        const maskRows = mask.subarray(row * cache.capacity, endRow * cache.capacity);
        context.set(await this.#attend(layerIndex, queries, cache, maskRows), (rowIndex + row) * qSize);
      }
      rowIndex += numRows;
    }
    return { tensor: { type: 'float32', dims: [rowIndex, qSize], data: context }, release: () => undefined };
  }

  async #attend(layerIndex: number, q: Float32Array, cache: KvCache, mask: Float32Array): Promise<Float32Array> {
    const { numHeads, numKvHeads, headDim } = this.#spec;
    const numRows = mask.length / cache.capacity;
    const dims = [numKvHeads, cache.capacity, headDim];
    const outputs = await this.#session.run({
      q: { type: 'float32', dims: [numRows, numHeads * headDim], data: q },
      keys: { type: 'float32', dims, data: cache.keys(layerIndex) },
      values: { type: 'float32', dims, data: cache.values(layerIndex) },
      mask: { type: 'float32', dims: [numRows, cache.capacity], data: mask },
    });
    return outputs.float32('context');
  }
}

/** 0 where row r (position `position` + r) may look, -Infinity for later positions and unused capacity. */
export function causalMask(position: number, numRows: number, capacity: number): Float32Array {
  const mask = new Float32Array(numRows * capacity);
  for (let row = 0; row < numRows; row++)
    mask.fill(-Infinity, row * capacity + position + row + 1, (row + 1) * capacity);
  return mask;
}
