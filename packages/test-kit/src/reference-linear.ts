import { type BlobLayout, quantisedName, scalesName } from '@expertmesh/shared/expert-store/blob-layout';
import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';

/** A matrix [out, in] of a blob as plain numbers. */
export interface PlainMatrix {
  readonly weights: Float64Array;
  readonly out: number;
  readonly in: number;
}

/** Undoes the store's quantisation: weight = scale * (q - 2^(bits - 1)), low nibble first. */
export function plainMatrix(
  blob: Uint8Array,
  layout: BlobLayout,
  quantisation: Quantisation,
  name: string,
): PlainMatrix {
  const find = (tensorName: string): { bytes: Uint8Array; shape: readonly number[] } => {
    const tensor = layout.tensors.find((candidate) => candidate.name === tensorName);
    if (tensor === undefined) throw new Error(`no tensor ${tensorName}`);
    const { offsetBytes, sizeBytes, shape } = tensor;
    return { bytes: Uint8Array.from(blob.subarray(offsetBytes, offsetBytes + sizeBytes)), shape };
  };
  if (!('blockSize' in quantisation)) {
    const { bytes, shape } = find(name);
    const [out = 1, inFeatures = 1] = shape;
    return { weights: Float64Array.from(new Float32Array(bytes.buffer)), out, in: inFeatures };
  }
  const { bits, blockSize } = quantisation;
  const q = find(quantisedName(name));
  const scales = new Float32Array(find(scalesName(name)).bytes.buffer);
  const [out = 1, numBlocks = 1] = q.shape;
  const weights = Float64Array.from({ length: out * numBlocks * blockSize }, (_, i) => {
    const stored = bits === 8 ? (q.bytes[i] ?? 0) : ((q.bytes[i >> 1] ?? 0) >> (4 * (i % 2))) & 15;
    return (scales[Math.floor(i / blockSize)] ?? 0) * (stored - 2 ** (bits - 1));
  });
  return { weights, out, in: numBlocks * blockSize };
}

/** What int8 activations with a scale per block make of a row: scale = max |x| / 127, rounded to nearest even. */
export function roundedActivations(x: Float32Array, blockSize: number): Float64Array {
  const rounded = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += blockSize) {
    const block = x.subarray(start, start + blockSize);
    const most = block.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    const inverse = most > 0 ? Math.fround(127 / most) : 0;
    block.forEach((value, i) => {
      rounded[start + i] = nearestEven(Math.fround(value * inverse)) * Math.fround(most / 127);
    });
  }
  return rounded;
}

/** x [in] times the transposed matrix: [out]. */
export function plainProduct({ weights, out, in: inFeatures }: PlainMatrix, x: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: out }, (_, row) => {
    let sum = 0;
    for (let i = 0; i < inFeatures; i++) sum += (weights[row * inFeatures + i] ?? 0) * (x[i] ?? 0);
    return sum;
  });
}

function nearestEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor === 0.5) return floor % 2 === 0 ? floor : floor + 1;
  return Math.round(value);
}
