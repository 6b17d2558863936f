import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { type StoredTensor } from '../blob-layout.js';
import { encodeBf16 } from '../half-precision.js';
import { type WeightBits } from '../quantisation.js';
import { type StoreBlob } from '../store-blobs.js';
import { type BlobWriter } from '../writing/blob-writer.js';
import { randomIntegers } from '../../random/seeded-random.js';

/**
 * Standard deviation of the weights, as a Qwen3 model is initialised: activations stay finite through any number of
 * layers.
 */
const WEIGHT_STD = 0.02;

/** Random bytes are made once, this many, and then read from changing places: writing is as fast as the disk. */
const PATTERN_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 512 * 1024;

/** The parts of a model that dummy weights differ in. Biases do not occur in the presets. */
type DummyKind = 'norm' | 'fp32' | 'bf16' | 'quantised' | 'scales';

/**
 * Pseudo-random weights that depend on nothing but the place where they go: the same geometry gives the same store
 * everywhere. Norms are 1, everything else is symmetric around 0.
 */
export class DummyWeights {
  readonly #bits: WeightBits;
  readonly #patterns = new Map<DummyKind, Uint8Array>();

  constructor(bits: WeightBits) {
    this.#bits = bits;
  }

  writeBlob(blob: StoreBlob, writer: BlobWriter, onBytes: (numBytes: number) => void): void {
    for (const tensor of blob.layout.tensors) {
      writer.padTo(tensor.offsetBytes);
      const kind = kindOf(tensor);
      const random = randomIntegers(hashOf(`${blob.path} ${tensor.name}`));
      for (let doneBytes = 0; doneBytes < tensor.sizeBytes; doneBytes += CHUNK_BYTES) {
        const chunkBytes = Math.min(CHUNK_BYTES, tensor.sizeBytes - doneBytes);
        // Every element size divides 4, so elements stay whole wherever the chunk begins.
        const startBytes = (random() % ((PATTERN_BYTES - CHUNK_BYTES) / 4)) * 4;
        writer.append(this.#pattern(kind).subarray(startBytes, startBytes + chunkBytes));
        onBytes(chunkBytes);
      }
    }
  }

  #pattern(kind: DummyKind): Uint8Array {
    const pattern = this.#patterns.get(kind) ?? makePattern(kind, this.#bits);
    this.#patterns.set(kind, pattern);
    return pattern;
  }
}

function kindOf({ name, dtype }: StoredTensor): DummyKind {
  if (name.endsWith('_norm')) return 'norm';
  if (name.endsWith('.scales')) return 'scales';
  if (dtype === 'U8') return 'quantised';
  if (dtype === 'F16') throw new ExpertmeshError('internal', 'dummy weights of 16 bits are BF16');
  return dtype === 'F32' ? 'fp32' : 'bf16';
}

function makePattern(kind: DummyKind, bits: WeightBits): Uint8Array {
  const random = randomIntegers(hashOf(kind));
  const uniform = (): number => random() / 2 ** 32;
  switch (kind) {
    case 'norm':
      return bytesOf(new Float32Array(PATTERN_BYTES / 4).fill(1));
    case 'fp32':
      return bytesOf(fill(new Float32Array(PATTERN_BYTES / 4), () => WEIGHT_STD * normal(uniform)));
    case 'bf16': {
      const halves = new Uint16Array(PATTERN_BYTES / 2);
      encodeBf16(
        fill(new Float32Array(halves.length), () => WEIGHT_STD * normal(uniform)),
        halves,
      );
      return bytesOf(halves);
    }
    case 'quantised': {
      // The lowest integer has no opposite and is left out, so that the mean is 0.
      const nibble = (): number => 1 + (random() % 15);
      return fill(
        new Uint8Array(PATTERN_BYTES),
        bits === 4 ? () => nibble() | (nibble() << 4) : () => 1 + (random() % 255),
      );
    }
    case 'scales': {
      // Integers spread evenly over -largest..largest have the variance largest * (largest + 1) / 3.
      const largest = 2 ** (bits - 1) - 1;
      const scale = WEIGHT_STD / Math.sqrt((largest * (largest + 1)) / 3);
      return bytesOf(fill(new Float32Array(PATTERN_BYTES / 4), () => scale * (0.75 + 0.5 * uniform())));
    }
  }
}

// TypedArray.from() with a function takes ten times as long.
function fill<T extends Float32Array | Uint8Array>(values: T, next: () => number): T {
  for (let i = 0; i < values.length; i++) values[i] = next();
  return values;
}

const bytesOf = (values: Float32Array | Uint16Array): Uint8Array => new Uint8Array(values.buffer);

/** Box and Muller's normal distribution. */
const normal = (uniform: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
