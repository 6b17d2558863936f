import { z } from 'zod';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';

/** Element types that can be packed, and their bytes. */
export const SOURCE_DTYPE_BYTES = { BF16: 2, F16: 2, F32: 4 } as const;
export type SourceDtype = keyof typeof SOURCE_DTYPE_BYTES;

/** A tensor in a safetensors file. */
export interface SourceTensor {
  readonly name: string;
  readonly dtype: SourceDtype;
  readonly shape: readonly number[];
  /** Absolute. */
  readonly file: string;
  /** From the start of the file. */
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** The limit that the format itself sets: a longer header is a damaged length field. */
export const MAX_HEADER_BYTES = 100_000_000;

/** The length field before the header. */
export const HEADER_LENGTH_BYTES = 8;

const tensorSchema = z.object({
  dtype: z.string(),
  shape: z.array(z.number().int().nonnegative()),
  data_offsets: z.tuple([z.number().int().nonnegative(), z.number().int().nonnegative()]),
});

const headerSchema = z
  .object({ __metadata__: z.unknown() })
  .partial()
  .catchall(tensorSchema)
  .transform(({ __metadata__, ...tensors }) => Object.entries(tensors));

/**
 * Reads the JSON header of a safetensors file (https://github.com/huggingface/safetensors, "Format") and checks that
 * its tensors fill the rest of the file exactly: one after another, without overlap or gap, each with the size of its
 * shape and dtype.
 *
 * @param fileSizeBytes size of the whole file
 * @throws ExpertmeshError `data_loss` for a file that is truncated or contradicts itself, `unimplemented` for another
 * dtype.
 */
export function parseSafetensorsHeader(file: string, header: Uint8Array, fileSizeBytes: number): SourceTensor[] {
  const dataStartBytes = HEADER_LENGTH_BYTES + header.byteLength;
  const tensors = parseJson(file, header).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [begin, end],
      },
    ]) => ({
      name,
      dtype: requireDtype(file, name, dtype),
      shape,
      file,
      offsetBytes: dataStartBytes + begin,
      sizeBytes: end - begin,
    }),
  );
  tensors.forEach(requireSizeOfShape);
  requireContiguous(file, tensors, dataStartBytes, fileSizeBytes);
  return tensors;
}

/** @throws ExpertmeshError `data_loss` when the length field cannot be that of this file. */
export function requireHeaderLength(file: string, headerBytes: bigint, fileSizeBytes: number): number {
  if (headerBytes > BigInt(MAX_HEADER_BYTES))
    throw damaged(file, `its header claims ${String(headerBytes)} bytes, the limit is ${String(MAX_HEADER_BYTES)}`);
  if (HEADER_LENGTH_BYTES + Number(headerBytes) > fileSizeBytes)
    throw damaged(file, `its header claims ${String(headerBytes)} bytes, the file has ${String(fileSizeBytes)}`);
  return Number(headerBytes);
}

export function damaged(file: string, reason: string): ExpertmeshError {
  return new ExpertmeshError('data_loss', `${file} is damaged: ${reason}; download this file again`);
}

function parseJson(file: string, header: Uint8Array): z.infer<typeof headerSchema> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(header));
  } catch (error) {
    throw damaged(file, `its header is not JSON (${ExpertmeshError.from(error).message})`);
  }
  const parsed = headerSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw damaged(file, `its header is not one of safetensors (${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''})`);
}

function requireDtype(file: string, name: string, dtype: string): SourceDtype {
  if (isSourceDtype(dtype)) return dtype;
  throw new ExpertmeshError(
    'unimplemented',
    `${name} in ${file} has dtype ${dtype}, which cannot be packed: ` +
      `start from a checkpoint in ${Object.keys(SOURCE_DTYPE_BYTES).join(', ')}`,
  );
}

const isSourceDtype = (dtype: string): dtype is SourceDtype => Object.hasOwn(SOURCE_DTYPE_BYTES, dtype);

function requireSizeOfShape({ file, name, dtype, shape, sizeBytes }: SourceTensor): void {
  const neededBytes = shape.reduce((product, dim) => product * dim, SOURCE_DTYPE_BYTES[dtype]);
  if (sizeBytes === neededBytes) return;
  throw damaged(
    file,
    `${name} occupies ${String(sizeBytes)} bytes, but ${dtype} [${shape.join(', ')}] needs ${String(neededBytes)}`,
  );
}

function requireContiguous(
  file: string,
  tensors: readonly SourceTensor[],
  dataStartBytes: number,
  fileSizeBytes: number,
): void {
  const inOrder = tensors.toSorted((a, b) => a.offsetBytes - b.offsetBytes || a.sizeBytes - b.sizeBytes);
  let endBytes = dataStartBytes;
  for (const { name, offsetBytes, sizeBytes } of inOrder) {
    if (offsetBytes < endBytes) throw damaged(file, `${name} overlaps the tensor before it`);
    if (offsetBytes > endBytes)
      throw damaged(file, `${String(offsetBytes - endBytes)} bytes before ${name} belong to no tensor`);
    endBytes = offsetBytes + sizeBytes;
    if (endBytes > fileSizeBytes)
      throw damaged(file, `it is truncated: ${name} ends at byte ${String(endBytes)} of ${String(fileSizeBytes)}`);
  }
  if (endBytes < fileSizeBytes)
    throw damaged(file, `${String(fileSizeBytes - endBytes)} bytes after the last tensor belong to no tensor`);
}
