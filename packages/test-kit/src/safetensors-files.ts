import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs';

/** A tensor to put in a safetensors file; `dtype` is any text, so that a test can write what must be refused. */
export interface FileTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

export interface FileTensorWithBytes extends FileTensor {
  readonly bytes: Uint8Array;
}

type HeaderEntries = Record<
  string,
  { dtype: string; shape: readonly number[]; data_offsets: readonly [number, number] }
>;

const VALUE_BYTES: Readonly<Record<string, number>> = { BF16: 2, F16: 2, F32: 4 };

/** Writes tensors one after another. `changeHeader` may make the header lie. */
export function writeSafetensors(
  file: string,
  tensors: readonly FileTensorWithBytes[],
  changeHeader: (entries: HeaderEntries) => unknown = (entries) => entries,
): void {
  const entries = headerEntries(tensors, ({ bytes }) => bytes.byteLength);
  const header = headerBytes(changeHeader(entries));
  writeFileSync(file, Buffer.concat([header, ...tensors.map(({ bytes }) => bytes)]));
}

/** Writes a file whose weights are all zero and occupy no disk. */
export function writeSparseSafetensors(file: string, tensors: readonly FileTensor[]): void {
  const sizeOf = ({ dtype, shape }: FileTensor): number =>
    shape.reduce((product, dim) => product * dim, VALUE_BYTES[dtype] ?? 1);
  const header = headerBytes(headerEntries(tensors, sizeOf));
  const fd = openSync(file, 'w');
  writeSync(fd, header);
  ftruncateSync(
    fd,
    tensors.reduce((sum, tensor) => sum + sizeOf(tensor), header.byteLength),
  );
  closeSync(fd);
}

function headerEntries<T extends FileTensor>(tensors: readonly T[], sizeOf: (tensor: T) => number): HeaderEntries {
  let endBytes = 0;
  return Object.fromEntries(
    tensors.map((tensor) => {
      const beginBytes = endBytes;
      endBytes += sizeOf(tensor);
      const { name, dtype, shape } = tensor;
      return [name, { dtype, shape, data_offsets: [beginBytes, endBytes] as const }];
    }),
  );
}

function headerBytes(header: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.byteLength));
  return Buffer.concat([length, json]);
}
