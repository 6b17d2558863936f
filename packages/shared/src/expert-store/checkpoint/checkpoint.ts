import { createHash } from 'node:crypto';
import { open, readFile, type FileHandle } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import {
  damaged,
  HEADER_LENGTH_BYTES,
  parseSafetensorsHeader,
  requireHeaderLength,
  type SourceTensor,
} from './safetensors-header.js';

/** A Hugging Face checkpoint whose headers were read and checked; no weight has been read yet. */
export interface Checkpoint {
  /** Absolute. */
  readonly dir: string;
  /** config.json as it is. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, SourceTensor>;
  /** Changes when config.json or any header, size or modification time of a weight file does. */
  readonly fingerprint: string;
}

const CONFIG_FILE_NAME = 'config.json';
const INDEX_FILE_NAME = 'model.safetensors.index.json';
const SINGLE_FILE_NAME = 'model.safetensors';

/**
 * Opens a checkpoint of one `model.safetensors` or of the shards that `model.safetensors.index.json` names.
 *
 * @throws ExpertmeshError `not_found` for missing files, `data_loss` for damaged ones or an index that contradicts its
 * shards, `unimplemented` for dtypes that cannot be packed.
 */
export async function openCheckpoint(hfDir: string): Promise<Checkpoint> {
  const dir = resolve(hfDir);
  const config = await readJson(join(dir, CONFIG_FILE_NAME), z.record(z.string(), z.unknown()));
  const index = await readIndex(dir);
  const fingerprint = createHash('sha256').update(JSON.stringify(config));
  const tensors = new Map<string, SourceTensor>();
  for (const fileName of index === undefined ? [SINGLE_FILE_NAME] : new Set(index.values())) {
    const shard = await readShard(join(dir, fileName));
    fingerprint.update(`\n${fileName} ${shard.fingerprint}`);
    for (const tensor of shard.tensors) addTensor(tensors, tensor);
  }
  requireIndexed(dir, index, tensors);
  return { dir, config, tensors, fingerprint: fingerprint.digest('hex') };
}

const indexSchema = z.object({
  weight_map: z.record(
    z.string(),
    z.string().regex(/^[^/\\]+\.safetensors$/, 'is no name of a .safetensors file beside the index'),
  ),
});

/** Tensor name to file name, or undefined where there is no index and so a single file. */
async function readIndex(dir: string): Promise<ReadonlyMap<string, string> | undefined> {
  const path = join(dir, INDEX_FILE_NAME);
  const index = await readJson(path, indexSchema).catch((error: unknown) => {
    if (error instanceof ExpertmeshError && error.code === 'not_found') return undefined;
    throw error;
  });
  return index && new Map(Object.entries(index.weight_map));
}

async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  const json = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw missing(path, cause);
  });
  try {
    return schema.parse(JSON.parse(json));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : ExpertmeshError.from(cause).message;
    throw new ExpertmeshError('data_loss', `${path} is damaged: ${reason}; download this file again`, { cause });
  }
}

async function readShard(file: string): Promise<{ tensors: SourceTensor[]; fingerprint: string }> {
  const handle = await open(file, 'r').catch((cause: unknown) => {
    throw missing(file, cause);
  });
  try {
    const { size, mtimeMs } = await handle.stat();
    const header = await readHeader(handle, file, size);
    const headerSha256 = createHash('sha256').update(header).digest('hex');
    return {
      tensors: parseSafetensorsHeader(file, header, size),
      fingerprint: `${String(size)} ${String(mtimeMs)} ${headerSha256}`,
    };
  } finally {
    await handle.close();
  }
}

async function readHeader(handle: FileHandle, file: string, fileSizeBytes: number): Promise<Buffer> {
  if (fileSizeBytes < HEADER_LENGTH_BYTES) throw damaged(file, `it has only ${String(fileSizeBytes)} bytes`);
  const length = await handle.read({ buffer: Buffer.alloc(HEADER_LENGTH_BYTES), position: 0 });
  const headerBytes = requireHeaderLength(file, length.buffer.readBigUInt64LE(0), fileSizeBytes);
  const header = Buffer.alloc(headerBytes);
  let filledBytes = 0;
  while (filledBytes < headerBytes) {
    const { bytesRead } = await handle.read(
      header,
      filledBytes,
      headerBytes - filledBytes,
      HEADER_LENGTH_BYTES + filledBytes,
    );
    if (bytesRead === 0) throw damaged(file, 'it ends within its header');
    filledBytes += bytesRead;
  }
  return header;
}

function addTensor(tensors: Map<string, SourceTensor>, tensor: SourceTensor): void {
  const twin = tensors.get(tensor.name);
  if (twin !== undefined) throw damaged(tensor.file, `${tensor.name} is also in ${twin.file}`);
  tensors.set(tensor.name, tensor);
}

function requireIndexed(
  dir: string,
  index: ReadonlyMap<string, string> | undefined,
  tensors: ReadonlyMap<string, SourceTensor>,
): void {
  for (const [name, fileName] of index ?? [])
    if (tensors.get(name)?.file !== join(dir, fileName))
      throw damaged(join(dir, fileName), `it lacks ${name}, which ${INDEX_FILE_NAME} says it has`);
}

const missing = (path: string, cause: unknown): ExpertmeshError =>
  new ExpertmeshError(
    'not_found',
    `cannot read ${path} (${ExpertmeshError.from(cause).message}): ` +
      'give the folder of a complete Hugging Face checkpoint',
    { cause },
  );
