import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { quantisedName, scalesName, type StoredDtype, type StoredTensor } from '../blob-layout.js';
import { type SourceTensor } from '../checkpoint/safetensors-header.js';
import { encodeBf16, encodeFp16 } from '../half-precision.js';
import { type BlockSize, type Quantisation } from '../quantisation.js';
import { type BlobWriter } from '../writing/blob-writer.js';
import { type BlobPlan, type PartOf } from './plan.js';
import { quantise } from './quantise.js';
import { type SourceReader } from './source-reader.js';

/** Tells how many bytes of the checkpoint were read since the last call. */
export type OnSourceBytes = (numBytes: number) => void;

/**
 * Writes the parts of one blob from the checkpoint, some rows at a time.
 *
 * @throws ExpertmeshError `data_loss` for a weight that is not a number or that its stored type cannot hold.
 */
export function writePackedBlob(
  { blob, parts }: BlobPlan<SourceTensor>,
  quantisation: Quantisation,
  reader: SourceReader,
  writer: BlobWriter,
  onSourceBytes: OnSourceBytes,
): void {
  const { tensors } = blob.layout;
  for (const part of parts) {
    const plain = tensors.find(({ name }) => name === part.name);
    const packed = tensors.find(({ name }) => name === quantisedName(part.name));
    const scales = tensors.find(({ name }) => name === scalesName(part.name));
    const chunks = chunksOf(part, (plain ?? packed)?.dtype, reader, onSourceBytes);
    if (plain !== undefined) writePlain(plain, chunks, writer);
    else if (packed !== undefined && scales !== undefined && 'blockSize' in quantisation)
      writeQuantised(packed, scales, quantisation, chunks, writer);
    else throw new ExpertmeshError('internal', `the layout of ${blob.path} has no place for ${part.name}`);
  }
}

function writePlain(tensor: StoredTensor, chunks: Iterable<Float32Array>, writer: BlobWriter): void {
  writer.padTo(tensor.offsetBytes);
  for (const values of chunks) writer.append(encode(values, tensor.dtype));
}

function encode(values: Float32Array, dtype: StoredDtype): Uint8Array {
  if (dtype === 'F32') return bytesOf(values);
  const halves = new Uint16Array(values.length);
  (dtype === 'BF16' ? encodeBf16 : encodeFp16)(values, halves);
  return bytesOf(halves);
}

// The scales of a large head are 78 MB: they go straight to their place in the file instead of waiting in memory.
function writeQuantised(
  packed: StoredTensor,
  scales: StoredTensor,
  { bits, blockSize }: Extract<Quantisation, { readonly blockSize: BlockSize }>,
  chunks: Iterable<Float32Array>,
  writer: BlobWriter,
): void {
  writer.padTo(packed.offsetBytes);
  let scalesOffsetBytes = scales.offsetBytes;
  for (const values of chunks) {
    const q = new Uint8Array((values.length * bits) / 8);
    const chunkScales = new Float32Array(values.length / blockSize);
    quantise(values, bits, blockSize, q, chunkScales);
    writer.append(q);
    writer.writeAhead(bytesOf(chunkScales), scalesOffsetBytes);
    scalesOffsetBytes += chunkScales.byteLength;
  }
  writer.padTo(scales.offsetBytes);
  writer.adopt(scales.sizeBytes);
}

function* chunksOf(
  part: PartOf<SourceTensor>,
  dtype: StoredDtype | undefined,
  reader: SourceReader,
  onSourceBytes: OnSourceBytes,
): Generator<Float32Array> {
  const limitBits = MAGNITUDE_LIMIT_BITS[dtype ?? 'F32'];
  for (const source of part.sources) {
    const valueBytes = source.sizeBytes / source.shape.reduce((product, dim) => product * dim, 1);
    for (const values of reader.rows(source)) {
      requireBelow(limitBits, values, source);
      yield values;
      onSourceBytes(values.length * valueBytes);
    }
  }
}

/** fp32 bits of the smallest magnitude that would become infinite in the stored type. */
const MAGNITUDE_LIMIT_BITS: Record<StoredDtype, number> = {
  F32: 0x7f80_0000,
  U8: 0x7f80_0000,
  BF16: 0x7f7f_8000,
  F16: 0x477f_f000,
};

// As integers, the magnitudes of floats are in order, with infinity and NaN at the end.
// A for-of loop over the array takes ten times as long.
function requireBelow(limitBits: number, values: Float32Array, source: SourceTensor): void {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  let largest = 0;
  let largestIndex = 0;
  for (let i = 0; i < bits.length; i++) {
    const magnitude = (bits[i] ?? 0) & 0x7fff_ffff;
    if (magnitude <= largest) continue;
    largest = magnitude;
    largestIndex = i;
  }
  if (largest < limitBits) return;
  throw new ExpertmeshError(
    'data_loss',
    `${source.name} in ${source.file} has the weight ${String(values[largestIndex])}, which the store cannot hold: ` +
      'download this file again, or report it to the makers of the checkpoint',
  );
}

const bytesOf = (values: Float32Array | Uint16Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
