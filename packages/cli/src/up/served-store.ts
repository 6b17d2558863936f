import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type UpConfig } from '@expertmesh/shared/config/up-config';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { openExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { MANIFEST_FILE_NAME, STORE_FORMAT_VERSION } from '@expertmesh/shared/expert-store/manifest';
import { packCheckpoint, type PackOptions } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { type WeightBits } from '@expertmesh/shared/expert-store/quantisation';
import { type WriteProgress } from '@expertmesh/shared/expert-store/writing/write-store';
import { checkpointKey, type CheckpointKey } from './checkpoint-key.js';
import { requireWorkForAll } from './process-plan.js';

/** What is served. */
export interface ServedStore {
  readonly storeDir: string;
  readonly modelName: string;
}

export interface PackingHooks {
  /** Called before a checkpoint is packed, and not for one that is in the cache. */
  readonly onStart: (message: string) => void;
  readonly onProgress: (progress: WriteProgress) => void;
  readonly signal: AbortSignal;
}

const DEMO_MODEL_DIR = fileURLToPath(new URL('../../../../models/qwen3-moe-demo', import.meta.url));
/** Below this an exact store costs little; above it, four times the memory for no visible gain. */
const SMALL_CHECKPOINT_BYTES = 1e9;

/**
 * The store to serve: the given one, or what the given checkpoint is packed into, in the cache and only the first time.
 *
 * @throws ExpertmeshError as packCheckpoint and openExpertStore do, and `invalid_argument` for more workers than experts.
 */
export async function servedStore(config: UpConfig, hooks: PackingHooks): Promise<ServedStore> {
  const modelDir = config.model ?? DEMO_MODEL_DIR;
  const modelName = config.servedModelName ?? basename(modelDir);
  const storeDir = existsSync(join(modelDir, MANIFEST_FILE_NAME))
    ? refusePacking(modelDir, config)
    : await packIntoCache(modelDir, config, hooks);
  const { spec } = await openExpertStore(storeDir);
  requireWorkForAll(config.workers, spec.numExperts);
  return { storeDir, modelName };
}

function refusePacking(storeDir: string, { bits, blockSize }: UpConfig): string {
  if (bits === undefined && blockSize === undefined) return storeDir;
  throw new ExpertmeshError(
    'invalid_argument',
    `${storeDir} is packed already, so --bits and --block-size have no meaning: leave them out, or give the checkpoint`,
  );
}

async function packIntoCache(hfDir: string, config: UpConfig, hooks: PackingHooks): Promise<string> {
  const checkpoint = await checkpointKey(hfDir);
  const bits = config.bits ?? (checkpoint.weightBytes < SMALL_CHECKPOINT_BYTES ? 32 : 8);
  const { blockSize } = config;
  const storeDir = join(config.cacheDir, cacheName(basename(hfDir), checkpoint, bits, blockSize));
  if (existsSync(join(storeDir, MANIFEST_FILE_NAME))) return storeDir;
  hooks.onStart(`Packing ${hfDir} with ${String(bits)} bits into ${storeDir}, once.`);
  const options: PackOptions = { hfDir, storeDir, bits, blockSize, onProgress: hooks.onProgress, signal: hooks.signal };
  return (await packCheckpoint(options)).storeDir;
}

function cacheName(name: string, { key }: CheckpointKey, bits: WeightBits, blockSize: number | undefined): string {
  const block = blockSize === undefined ? '' : `-block${String(blockSize)}`;
  return `${name}-${String(bits)}bit${block}-v${String(STORE_FORMAT_VERSION)}-${key}`;
}
