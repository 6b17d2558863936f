import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/**
 * Files up to this size count with their content, larger ones with size and time of change: hashing 470 GB takes
 * minutes.
 */
const HASH_CONTENT_MAX_BYTES = 64 * 2 ** 20;

/** The files that make up a checkpoint: weights, configs, tokenizer. */
const isCheckpointFile = (name: string): boolean => /\.(safetensors|json|jinja|txt)$/.test(name);

export interface CheckpointKey {
  /** Changes when the checkpoint does. 12 hex digits. */
  readonly key: string;
  readonly weightBytes: number;
}

/**
 * Names the content of a checkpoint directory, for the cache of packed ones.
 *
 * @throws ExpertmeshError `not_found` when there is no such directory.
 */
export async function checkpointKey(dir: string): Promise<CheckpointKey> {
  const names = (await listDirectory(dir)).filter(isCheckpointFile).sort();
  const hash = createHash('sha256');
  let weightBytes = 0;
  for (const name of names) {
    const path = join(dir, name);
    const { size, mtimeMs } = await stat(path);
    hash.update(`${name}\n${String(size)}\n`);
    hash.update(size <= HASH_CONTENT_MAX_BYTES ? await readFile(path) : String(mtimeMs));
    if (name.endsWith('.safetensors')) weightBytes += size;
  }
  return { key: hash.digest('hex').slice(0, 12), weightBytes };
}

async function listDirectory(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (cause) {
    throw new ExpertmeshError(
      'not_found',
      `cannot read the directory ${dir}: --model takes a Hugging Face checkpoint or an expert store`,
      { cause },
    );
  }
}
