import { BLOCK_TOKENS, blocksOf } from '@expertmesh/kernels/kv-layout';
import { HeadTile } from './head-tile.js';
import { type KvMemory } from './kv-memory.js';

/** Keys and values of one sequence in one layer, each fp32 [kv heads, capacity, head_dim]. */
export interface GatheredCache {
  readonly keys: Float32Array;
  readonly values: Float32Array;
  /** Whole blocks; the tokens behind the sequence's own are zero. */
  readonly capacity: number;
}

/**
 * Gives the KV memory's contents to ONNX Runtime, and takes what that computes. Its arrays are used for sequence after
 * sequence.
 */
export class Fp32Rows {
  readonly #memory: KvMemory;
  #keys = new Float32Array();
  #values = new Float32Array();

  constructor(memory: KvMemory) {
    this.#memory = memory;
  }

  /** The first `length` tokens; holds until the next call. */
  gather(layerIndex: number, blockIds: Int32Array, length: number): GatheredCache {
    const { numKvHeads, headDim } = this.#memory.layout;
    const capacity = blocksOf(length) * BLOCK_TOKENS;
    const size = numKvHeads * capacity * headDim;
    if (this.#keys.length < size) {
      this.#keys = new Float32Array(size);
      this.#values = new Float32Array(size);
    }
    const [keys, values] = [this.#keys.subarray(0, size), this.#values.subarray(0, size)];
    for (let first = 0; first < length; first += BLOCK_TOKENS) {
      const block = this.#memory.readBlock(blockIds[first / BLOCK_TOKENS] ?? -1);
      const count = Math.min(BLOCK_TOKENS, length - first);
      for (let head = 0; head < numKvHeads; head++) {
        const tile = new HeadTile(this.#memory.layout, block, layerIndex, head);
        const at = (head * capacity + first) * headDim;
        tile.readKeys(count, keys, at);
        tile.readValues(count, values, at);
        // What other sequences have left there may not even be numbers, which a mask does not hide.
        for (const rows of [keys, values]) rows.fill(0, at + count * headDim, at + BLOCK_TOKENS * headDim);
      }
    }
    return { keys, values, capacity };
  }

  /**
   * Writes the keys and values of new tokens from `position` on.
   *
   * @param k fp32 [rows, kv heads * head_dim], of which `numRows` rows from `rowIndex` on are read; `v` likewise.
   */
  write(
    layerIndex: number,
    { blockIds, position }: { readonly blockIds: Int32Array; readonly position: number },
    k: Float32Array,
    v: Float32Array,
    { rowIndex, numRows }: { readonly rowIndex: number; readonly numRows: number },
  ): void {
    const { numKvHeads, headDim } = this.#memory.layout;
    for (let row = 0; row < numRows; row++) {
      const token = position + row;
      const block = this.#memory.readBlock(blockIds[Math.floor(token / BLOCK_TOKENS)] ?? -1);
      for (let head = 0; head < numKvHeads; head++) {
        const from = ((rowIndex + row) * numKvHeads + head) * headDim;
        const tile = new HeadTile(this.#memory.layout, block, layerIndex, head);
        tile.writeKey(token % BLOCK_TOKENS, k.subarray(from, from + headDim));
        tile.writeValue(token % BLOCK_TOKENS, v.subarray(from, from + headDim));
      }
    }
  }
}
