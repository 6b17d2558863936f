import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  quantisedName,
  scalesName,
  type BlobLayout,
  type StoredTensor,
} from '@expertmesh/shared/expert-store/blob-layout';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { decodeBf16, decodeFp16 } from '@expertmesh/shared/expert-store/half-precision';
import { z } from 'zod';

/** Weights of one part of a blob as fp32, and for a quantised part the scale of every weight. */
export interface StoredPart {
  readonly values: Float32Array;
  readonly scales: Float32Array | undefined;
}

/** Reads a part by the definition of the layout. */
export function readStoredPart(store: ExpertStore, path: string, layout: BlobLayout, name: string): StoredPart {
  const blob = readFileSync(join(store.dir, path));
  const find = (wanted: string): StoredTensor | undefined => layout.tensors.find((tensor) => tensor.name === wanted);
  const bytesOf = (tensor: StoredTensor | undefined): Uint8Array => {
    if (tensor === undefined) throw new Error(`${path} has no ${name}`);
    return blob.subarray(tensor.offsetBytes, tensor.offsetBytes + tensor.sizeBytes);
  };
  const plain = find(name);
  if (plain !== undefined) return { values: decode(plain.dtype, bytesOf(plain)), scales: undefined };
  const { quantisation } = store;
  if (!('blockSize' in quantisation)) throw new Error(`${path} has no ${name}`);
  const { bits, blockSize } = quantisation;
  const q = bytesOf(find(quantisedName(name)));
  const blockScales = decode('F32', bytesOf(find(scalesName(name))));
  const integers = Array.from({ length: (q.length * 8) / bits }, (_, i) =>
    bits === 8 ? (q[i] ?? 0) - 128 : (((q[i >> 1] ?? 0) >> (4 * (i % 2))) & 15) - 8,
  );
  const scales = Float32Array.from(integers, (_, i) => blockScales[Math.floor(i / blockSize)] ?? NaN);
  return { values: Float32Array.from(integers, (n, i) => n * (scales[i] ?? NaN)), scales };
}

const sourceHeader = z.record(z.string(), z.looseObject({ dtype: z.string(), data_offsets: z.array(z.number()) }));

/** Reads tensors of a single safetensors file in the most direct way. */
export function readSource(file: string): (name: string) => Float32Array {
  const bytes = readFileSync(file);
  const dataStartBytes = 8 + Number(bytes.readBigUInt64LE(0));
  const { __metadata__: _metadata, ...json } = JSON.parse(bytes.toString('utf8', 8, dataStartBytes)) as Record<
    string,
    unknown
  >;
  const header = sourceHeader.parse(json);
  return (name) => {
    const entry = header[name];
    if (entry === undefined) throw new Error(`${file} has no ${name}`);
    const [begin = 0, end = 0] = entry.data_offsets;
    return decode(entry.dtype, bytes.subarray(dataStartBytes + begin, dataStartBytes + end));
  };
}

function decode(dtype: string, bytes: Uint8Array): Float32Array {
  const copy = Uint8Array.from(bytes).buffer;
  if (dtype === 'F32') return new Float32Array(copy);
  const halves = new Uint16Array(copy);
  const values = new Float32Array(halves.length);
  (dtype === 'BF16' ? decodeBf16 : decodeFp16)(halves, values);
  return values;
}

export function concatenate(arrays: readonly Float32Array[]): Float32Array {
  return Float32Array.from(arrays.flatMap((array) => [...array]));
}
