import { MAX_ATTENTION_SCORES } from '@expertmesh/shared/limits/limits';
import { buildAttentionGraph } from '@expertmesh/shared/onnx/attention-graph';
import { createOnnxSession, type OnnxOutputs, type OnnxSession } from '@expertmesh/shared/onnx/session';
import { Fp32Rows, type GatheredCache } from '../kv/fp32-rows.js';
import { type KvMemory } from '../kv/kv-memory.js';
import { type SequenceRows } from './dense-runner.js';

/**
 * Attention by ONNX Runtime on the CPU, over what it is given of the KV memory: in fp32, gathered for each sequence.
 */
export class HostAttention {
  readonly #session: OnnxSession;
  readonly #numHeads: number;
  readonly #headDim: number;
  readonly #numKvHeads: number;
  readonly #rows: Fp32Rows;
  // What is gathered holds until the next gathering, so that steps of several micro-batches go one after the other.
  #last: Promise<unknown> = Promise.resolve();

  private constructor(session: OnnxSession, numHeads: number, kv: KvMemory) {
    this.#session = session;
    this.#numHeads = numHeads;
    this.#headDim = kv.layout.headDim;
    this.#numKvHeads = kv.layout.numKvHeads;
    this.#rows = new Fp32Rows(kv);
  }

  static async load(
    spec: Parameters<typeof buildAttentionGraph>[0],
    numThreads: number,
    kv: KvMemory,
  ): Promise<HostAttention> {
    return new HostAttention(await createOnnxSession(buildAttentionGraph(spec), { numThreads }), spec.numHeads, kv);
  }

  /**
   * Writes keys and values of a step's rows to their sequences' blocks, and attends.
   *
   * @param qkv outputs of the QKV graph
   * @returns fp32 [rows, heads * head_dim]
   */
  run(layerIndex: number, sequences: readonly SequenceRows[], qkv: OnnxOutputs): Promise<Float32Array> {
    const running = this.#last.then(() => this.#run(layerIndex, sequences, qkv));
    this.#last = running.catch(() => undefined);
    return running;
  }

  close(): Promise<void> {
    return this.#session.release();
  }

  async #run(layerIndex: number, sequences: readonly SequenceRows[], qkv: OnnxOutputs): Promise<Float32Array> {
    const [q, k, v] = [qkv.float32('q'), qkv.float32('k'), qkv.float32('v')];
    const context = new Float32Array(q.length);
    let rowIndex = 0;
    for (const { numRows, cache } of sequences) {
      const { blockIds, length } = cache;
      this.#rows.write(layerIndex, { blockIds, position: length }, k, v, { rowIndex, numRows });
      const gathered = this.#rows.gather(layerIndex, blockIds, length + numRows);
      const queries = { q, firstRow: rowIndex, numRows, position: length };
      await this.#attendInPieces(gathered, queries, context);
      rowIndex += numRows;
    }
    return context;
  }

  /** So many rows at a time as the memory for their scores allows. */
  async #attendInPieces(cache: GatheredCache, queries: SequenceQueries, context: Float32Array): Promise<void> {
    const { q, firstRow, numRows, position } = queries;
    const qSize = this.#numHeads * this.#headDim;
    const maxRows = Math.max(1, Math.floor(MAX_ATTENTION_SCORES / (this.#numHeads * cache.capacity)));
    for (let row = 0; row < numRows; row += maxRows) {
      const end = Math.min(row + maxRows, numRows);
      const rows = q.subarray((firstRow + row) * qSize, (firstRow + end) * qSize);
      const mask = causalMask(position + row, end - row, cache.capacity);
      context.set(await this.#attend(rows, cache, mask), (firstRow + row) * qSize);
    }
  }

  async #attend(q: Float32Array, { keys, values, capacity }: GatheredCache, mask: Float32Array): Promise<Float32Array> {
    const numRows = mask.length / capacity;
    const dims = [this.#numKvHeads, capacity, this.#headDim];
    const outputs = await this.#session.run({
      q: { type: 'float32', dims: [numRows, this.#numHeads * this.#headDim], data: q },
      keys: { type: 'float32', dims, data: keys },
      values: { type: 'float32', dims, data: values },
      mask: { type: 'float32', dims: [numRows, capacity], data: mask },
    });
    return outputs.float32('context');
  }
}

interface SequenceQueries {
  /** fp32 [step rows, heads * head_dim] */
  readonly q: Float32Array;
  readonly firstRow: number;
  readonly numRows: number;
  /** Of the first row. */
  readonly position: number;
}

/** 0 where row r (position `position` + r) may look, -Infinity for later positions and unused capacity. */
export function causalMask(position: number, numRows: number, capacity: number): Float32Array {
  const mask = new Float32Array(numRows * capacity);
  for (let row = 0; row < numRows; row++)
    mask.fill(-Infinity, row * capacity + position + row + 1, (row + 1) * capacity);
  return mask;
}
