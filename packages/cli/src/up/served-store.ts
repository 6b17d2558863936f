import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type UpConfig } from '@expertmesh/shared/config/up-config';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { openCheckpoint } from '@expertmesh/shared/expert-store/checkpoint/checkpoint';
import { openExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { MANIFEST_FILE_NAME, STORE_FORMAT_VERSION } from '@expertmesh/shared/expert-store/manifest';
import { packCheckpoint, type PackOptions } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { type WeightBits } from '@expertmesh/shared/expert-store/quantisation';
import { type WriteProgress } from '@expertmesh/shared/expert-store/writing/write-store';
import { parseModelSpec, type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { checkpointKey, type CheckpointKey } from './checkpoint-key.js';
import { requireWorkForAll } from './worker-count.js';

/** What is served. */
export interface ServedStore {
  readonly storeDir: string;
  /** Answers have the first. */
  readonly modelNames: readonly string[];
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

/** What --model names: a store, or a checkpoint to pack into one. */
export interface FoundModel extends ServedStore {
  /** Absent where the store is there already. */
  readonly packing: Pick<PackOptions, 'hfDir' | 'storeDir' | 'bits' | 'blockSize' | 'cacheDir'> | undefined;
}

/**
 * Looks for the model and writes nothing: a checkpoint is served from the store in the cache that it was, or is to be,
 * packed into.
 *
 * @throws ExpertmeshError for what is neither a store nor a checkpoint, and `invalid_argument` for more workers than
 * experts.
 */
export async function findModel(config: UpConfig): Promise<FoundModel> {
  const modelDir = config.model ?? DEMO_MODEL_DIR;
  const modelNames = config.servedModelName ?? [basename(modelDir)];
  const isStore = existsSync(join(modelDir, MANIFEST_FILE_NAME));
  const packing = isStore ? undefined : await planPacking(modelDir, config);
  const storeDir = packing === undefined ? refusePacking(modelDir, config) : packing.storeDir;
  const isPacked = existsSync(join(storeDir, MANIFEST_FILE_NAME));
  const { numExperts } = isPacked ? (await openExpertStore(storeDir)).spec : await checkpointSpec(modelDir);
  requireWorkForAll(config.workers, numExperts);
  return { storeDir, modelNames, packing: isPacked ? undefined : packing };
}

/**
 * The store to serve; a checkpoint is packed, only the first time.
 *
 * @throws ExpertmeshError as packCheckpoint does.
 */
export async function servedStore(found: FoundModel, hooks: PackingHooks): Promise<ServedStore> {
  const { packing } = found;
  if (packing !== undefined) {
    hooks.onStart(`Packing ${packing.hfDir} with ${String(packing.bits)} bits into ${packing.storeDir}, once.`);
    await packCheckpoint({ ...packing, onProgress: hooks.onProgress, signal: hooks.signal });
  }
  return found;
}

const checkpointSpec = async (hfDir: string): Promise<ModelSpec> =>
  parseModelSpec((await openCheckpoint(hfDir)).config);

function refusePacking(storeDir: string, { bits, blockSize }: UpConfig): string {
  if (bits === undefined && blockSize === undefined) return storeDir;
  throw new ExpertmeshError(
    'invalid_argument',
    `${storeDir} is packed already, so --bits and --block-size have no meaning: leave them out, or give the checkpoint`,
  );
}

async function planPacking(hfDir: string, config: UpConfig): Promise<NonNullable<FoundModel['packing']>> {
  const checkpoint = await checkpointKey(hfDir);
  const bits = config.bits ?? (checkpoint.weightBytes < SMALL_CHECKPOINT_BYTES ? 32 : 8);
  const { blockSize, cacheDir } = config;
  return {
    hfDir,
    storeDir: join(cacheDir, cacheName(basename(hfDir), checkpoint, bits, blockSize)),
    bits,
    blockSize,
    cacheDir,
  };
}

function cacheName(name: string, { key }: CheckpointKey, bits: WeightBits, blockSize: number | undefined): string {
  const block = blockSize === undefined ? '' : `-block${String(blockSize)}`;
  return `${name}-${String(bits)}bit${block}-v${String(STORE_FORMAT_VERSION)}-${key}`;
}
