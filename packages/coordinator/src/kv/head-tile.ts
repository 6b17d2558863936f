import {
  BLOCK_TOKENS,
  keyIndex,
  keysOffset,
  scalesOffset,
  valuesOffset,
  type KvLayout,
} from '@expertmesh/kernels/kv-layout';
import { decodeFp16, encodeFp16 } from '@expertmesh/shared/expert-store/half-precision';

const MAX_INT8 = 127;

/** Keys and values of one KV head in one block, in fp32 rows: what ONNX Runtime is given, and gives. */
export class HeadTile {
  readonly #layout: KvLayout;
  readonly #elements: Uint8Array;
  /** Of keys, then of values. */
  readonly #scales: Float32Array;

  constructor(layout: KvLayout, block: Uint8Array, layerIndex: number, kvHead: number) {
    const start = block.byteOffset + keysOffset(layout, layerIndex, kvHead);
    this.#layout = layout;
    this.#elements = new Uint8Array(block.buffer, start, scalesOffset(layout));
    const numScales = layout.dtype === 'int8' ? 2 * BLOCK_TOKENS : 0;
    this.#scales = new Float32Array(block.buffer, start + scalesOffset(layout), numScales);
  }

  /** Writes the first `numTokens` tokens to fp32 [tokens, head_dim], from the given index on. */
  readKeys(numTokens: number, into: Float32Array, at: number): void {
    const { headDim } = this.#layout;
    const keys = this.#decoded(0);
    for (let token = 0; token < numTokens; token++) {
      const scale = this.#scale(token);
      for (let dim = 0; dim < headDim; dim++)
        into[at + token * headDim + dim] = (keys[keyIndex(this.#layout, token, dim)] ?? 0) * scale;
    }
  }

  readValues(numTokens: number, into: Float32Array, at: number): void {
    const { headDim } = this.#layout;
    const values = this.#decoded(valuesOffset(this.#layout));
    for (let token = 0; token < numTokens; token++) {
      const scale = this.#scale(BLOCK_TOKENS + token);
      for (let i = token * headDim; i < (token + 1) * headDim; i++) into[at + i] = (values[i] ?? 0) * scale;
    }
  }

  writeKey(token: number, key: Float32Array): void {
    const encoded = this.#encoded(key, token);
    const { elementBytes } = this.#layout;
    for (let dim = 0; dim < key.length; dim++) {
      const to = keyIndex(this.#layout, token, dim) * elementBytes;
      for (let i = 0; i < elementBytes; i++) this.#elements[to + i] = encoded[dim * elementBytes + i] ?? 0;
    }
  }

  writeValue(token: number, value: Float32Array): void {
    const { headDim, elementBytes } = this.#layout;
    const encoded = this.#encoded(value, BLOCK_TOKENS + token);
    this.#elements.set(encoded, valuesOffset(this.#layout) + token * headDim * elementBytes);
  }

  /** The keys, or the values, as they are stored; without their scales. */
  #decoded(startBytes: number): Float32Array | Int8Array {
    const { dtype, headDim } = this.#layout;
    const { buffer, byteOffset } = this.#elements;
    const size = BLOCK_TOKENS * headDim;
    switch (dtype) {
      case 'fp32':
        return new Float32Array(buffer, byteOffset + startBytes, size);
      case 'fp16': {
        const decoded = new Float32Array(size);
        decodeFp16(new Uint16Array(buffer, byteOffset + startBytes, size), decoded);
        return decoded;
      }
      case 'int8':
        return new Int8Array(buffer, byteOffset + startBytes, size);
    }
  }

  /** The bytes of a row; in int8, its scale is written. */
  #encoded(row: Float32Array, scaleIndex: number): Uint8Array {
    switch (this.#layout.dtype) {
      case 'fp32':
        return new Uint8Array(row.buffer, row.byteOffset, row.byteLength);
      case 'fp16': {
        const halves = new Uint16Array(row.length);
        encodeFp16(row, halves);
        return new Uint8Array(halves.buffer);
      }
      case 'int8':
        return this.#encodedInt8(row, scaleIndex);
    }
  }

  #encodedInt8(row: Float32Array, scaleIndex: number): Uint8Array {
    const magnitude = row.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const inverse = magnitude > 0 ? MAX_INT8 / magnitude : 0;
    this.#scales[scaleIndex] = magnitude / MAX_INT8;
    return new Uint8Array(Int8Array.from(row, (x) => roundToEven(x * inverse)).buffer);
  }

  #scale(index: number): number {
    return this.#layout.dtype === 'int8' ? (this.#scales[index] ?? 0) : 1;
  }
}

/** As the kernels round. */
function roundToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest === 0.5) return floor + (floor % 2 === 0 ? 0 : 1);
  return rest < 0.5 ? floor : floor + 1;
}
