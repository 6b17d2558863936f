import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';

/** A value of a GGUF file's metadata, with the type that the reader expects under its key. */
export type GgufValue =
  | { readonly type: 'uint32' | 'int32' | 'float32'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'int32-array'; readonly value: readonly number[] }
  | { readonly type: 'string-array'; readonly value: readonly string[] };

export interface GgufTensor {
  readonly name: string;
  readonly type: 'F32' | 'Q4_0';
  /** The dimension that lies contiguous in memory (a matrix's input) comes first, as GGUF has it. */
  readonly shape: readonly number[];
}

const GGUF_VERSION = 3;
/** Where tensors may begin; the format's default. */
const ALIGNMENT_BYTES = 32;
const VALUE_TYPES = { uint32: 4, int32: 5, float32: 6, string: 8, array: 9 } as const;
const TENSOR_TYPES = { F32: 0, Q4_0: 2 } as const;
/** A block of Q4_0: an fp16 scale and 32 weights of 4 bits. */
export const Q4_0_BLOCK = { numWeights: 32, sizeBytes: 18 } as const;

/** @throws Error where a row of Q4_0 is not a whole number of blocks: its shape cannot be stored. */
export function sizeOfTensor({ name, type, shape }: GgufTensor): number {
  const numWeights = shape.reduce((product, dim) => product * dim, 1);
  if (type === 'F32') return numWeights * 4;
  if ((shape[0] ?? 0) % Q4_0_BLOCK.numWeights !== 0)
    throw new Error(`${name}: rows of ${String(shape[0])} weights; Q4_0 needs a multiple of 32`);
  return (numWeights / Q4_0_BLOCK.numWeights) * Q4_0_BLOCK.sizeBytes;
}

/** Everything before the tensors' data: magic, metadata, and where each tensor lies; padded to the alignment. */
export function ggufHeader(metadata: Readonly<Record<string, GgufValue>>, tensors: readonly GgufTensor[]): Buffer {
  const parts = [Buffer.from('GGUF'), uint32(GGUF_VERSION), uint64(tensors.length)];
  parts.push(uint64(Object.keys(metadata).length));
  for (const [key, value] of Object.entries(metadata)) parts.push(text(key), encodeValue(value));
  let offsetBytes = 0;
  for (const tensor of tensors) {
    parts.push(text(tensor.name), uint32(tensor.shape.length), ...tensor.shape.map(uint64));
    parts.push(uint32(TENSOR_TYPES[tensor.type]), uint64(offsetBytes));
    offsetBytes += aligned(sizeOfTensor(tensor));
  }
  const header = Buffer.concat(parts);
  return Buffer.concat([header, Buffer.alloc(aligned(header.byteLength) - header.byteLength)]);
}

/**
 * Writes a GGUF file. `dataOf` gives the bytes of a tensor in pieces, in order; the file appears under its name only
 * when it is complete.
 */
export function writeGguf(
  file: string,
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
  dataOf: (tensor: GgufTensor) => Iterable<Uint8Array>,
): void {
  const partial = `${file}.partial`;
  const fd = openSync(partial, 'w');
  try {
    writeAll(fd, ggufHeader(metadata, tensors));
    for (const tensor of tensors) {
      let sizeBytes = 0;
      for (const bytes of dataOf(tensor)) {
        writeAll(fd, bytes);
        sizeBytes += bytes.byteLength;
      }
      if (sizeBytes !== sizeOfTensor(tensor))
        throw new Error(`${tensor.name}: ${String(sizeBytes)} bytes instead of ${String(sizeOfTensor(tensor))}`);
      writeAll(fd, Buffer.alloc(aligned(sizeBytes) - sizeBytes));
    }
  } catch (thrown) {
    closeSync(fd);
    rmSync(partial);
    throw thrown;
  }
  closeSync(fd);
  renameSync(partial, file);
}

function encodeValue(value: GgufValue): Buffer {
  switch (value.type) {
    case 'uint32':
      return Buffer.concat([uint32(VALUE_TYPES.uint32), uint32(value.value)]);
    case 'int32':
      return Buffer.concat([uint32(VALUE_TYPES.int32), int32s([value.value])]);
    case 'float32':
      return Buffer.concat([uint32(VALUE_TYPES.float32), Buffer.from(Float32Array.of(value.value).buffer)]);
    case 'string':
      return Buffer.concat([uint32(VALUE_TYPES.string), text(value.value)]);
    case 'int32-array':
      return Buffer.concat([arrayHead(VALUE_TYPES.int32, value.value.length), int32s(value.value)]);
    case 'string-array':
      return Buffer.concat([arrayHead(VALUE_TYPES.string, value.value.length), ...value.value.map(text)]);
  }
}

const arrayHead = (elementType: number, length: number): Buffer =>
  Buffer.concat([uint32(VALUE_TYPES.array), uint32(elementType), uint64(length)]);

const int32s = (values: readonly number[]): Buffer => Buffer.from(Int32Array.from(values).buffer);

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint64(bytes.byteLength), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let doneBytes = 0; doneBytes < bytes.byteLength;)
    doneBytes += writeSync(fd, bytes, doneBytes, bytes.byteLength - doneBytes);
}

const aligned = (sizeBytes: number): number => Math.ceil(sizeBytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
