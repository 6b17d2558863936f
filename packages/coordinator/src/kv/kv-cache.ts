import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { type SequenceCache } from './sequence-cache.js';

/**
 * Capacity grows in steps of this many tokens, or by a quarter where that is more, so that growing costs O(1) a token.
 */
const GROWTH_TOKENS = 64;

const FLOAT_BYTES = 4;

/** Tokens that the KV cache of a sequence of `numTokens` tokens has room for at most. */
export function kvCacheCapacity(numTokens: number): number {
  return Math.ceil(numTokens / GROWTH_TOKENS) * GROWTH_TOKENS;
}

/** Memory that the KV cache of a sequence of `numTokens` tokens takes at most. */
export function kvCacheBytes(spec: ModelSpec, numTokens: number): number {
  return kvCacheCapacity(numTokens) * bytesPerToken(spec);
}

/** The longest sequence whose KV cache takes at most `sizeBytes`. */
export function maxTokensWithin(spec: ModelSpec, sizeBytes: number): number {
  return Math.floor(sizeBytes / (GROWTH_TOKENS * bytesPerToken(spec))) * GROWTH_TOKENS;
}

const bytesPerToken = (spec: ModelSpec): number => spec.numLayers * spec.numKvHeads * spec.headDim * 2 * FLOAT_BYTES;

/**
 * Keys and values of one sequence, head-major: per layer fp32 [kv heads, capacity, head_dim], which is the form that
 * the attention graph reads without a copy. Ordinary JavaScript arrays, because ONNX Runtime copies every output: a
 * cache that travelled through a session would be copied at every token.
 */
export class KvCache implements SequenceCache {
  readonly #spec: ModelSpec;
  readonly #maxTokens: number;
  readonly #keys: Float32Array[];
  readonly #values: Float32Array[];
  #capacity = 0;
  #length = 0;

  /** @param maxTokens Most tokens that will ever be stored. */
  constructor(spec: ModelSpec, maxTokens: number) {
    this.#spec = spec;
    this.#maxTokens = maxTokens;
    this.#keys = Array.from({ length: spec.numLayers }, () => new Float32Array());
    this.#values = Array.from({ length: spec.numLayers }, () => new Float32Array());
  }

  /** Tokens stored in every layer. */
  get length(): number {
    return this.#length;
  }

  /** Tokens that there is room for; the middle dimension of `keys` and `values`. */
  get capacity(): number {
    return this.#capacity;
  }

  keys(layerIndex: number): Float32Array {
    return this.#keys[layerIndex] ?? new Float32Array();
  }

  values(layerIndex: number): Float32Array {
    return this.#values[layerIndex] ?? new Float32Array();
  }

  /** Makes room for `numTokens` more tokens in every layer. */
  reserve(numTokens: number): void {
    const needed = this.#length + numTokens;
    if (needed <= this.#capacity) return;
    const roomy = Math.max(needed, Math.ceil(this.#capacity * 1.25));
    const capacity = Math.max(
      kvCacheCapacity(needed),
      Math.min(kvCacheCapacity(roomy), kvCacheCapacity(this.#maxTokens)),
    );
    this.#keys.forEach((old, layerIndex) => (this.#keys[layerIndex] = this.#moved(old, capacity)));
    this.#values.forEach((old, layerIndex) => (this.#values[layerIndex] = this.#moved(old, capacity)));
    this.#capacity = capacity;
  }

  /**
   * Writes the keys and values of new tokens behind those that are stored; `advance` makes them count once every layer
   * has them.
   *
   * @param k fp32 [rows, kv heads * head_dim], of which `numRows` rows from `rowIndex` on are read; `v` likewise.
   */
  write(layerIndex: number, k: Float32Array, v: Float32Array, rowIndex: number, numRows: number): void {
    const keys = this.keys(layerIndex);
    const values = this.values(layerIndex);
    const { numKvHeads, headDim } = this.#spec;
    for (let row = 0; row < numRows; row++) {
      for (let head = 0; head < numKvHeads; head++) {
        const from = ((rowIndex + row) * numKvHeads + head) * headDim;
        const to = (head * this.#capacity + this.#length + row) * headDim;
        keys.set(k.subarray(from, from + headDim), to);
        values.set(v.subarray(from, from + headDim), to);
      }
    }
  }

  advance(numTokens: number): void {
    this.#length += numTokens;
  }

  /** Forgets all tokens behind the first `length`: drafted tokens that were refused. */
  truncate(length: number): void {
    this.#length = Math.min(this.#length, length);
  }

  release(): void {
    this.#keys.fill(new Float32Array());
    this.#values.fill(new Float32Array());
    this.#capacity = 0;
  }

  #moved(old: Float32Array, capacity: number): Float32Array {
    const { numKvHeads, headDim } = this.#spec;
    const moved = new Float32Array(numKvHeads * capacity * headDim);
    for (let head = 0; head < numKvHeads; head++) {
      const from = head * this.#capacity * headDim;
      moved.set(old.subarray(from, from + this.#length * headDim), head * capacity * headDim);
    }
    return moved;
  }
}

/** The cache as arrays of this process. A cache belongs to the runner that made it. */
export function hostCache(cache: SequenceCache): KvCache {
  if (cache instanceof KvCache) return cache;
  throw new ExpertmeshError('internal', 'the KV cache of a sequence is not in the memory of this process');
}
