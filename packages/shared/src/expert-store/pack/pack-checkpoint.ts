import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseModelSpec } from '../../model/model-spec.js';
import { openCheckpoint, type Checkpoint } from '../checkpoint/checkpoint.js';
import { type BlockSize, type HalfDtype, type WeightBits } from '../quantisation.js';
import { chooseQuantisation } from '../writing/choose-quantisation.js';
import { writeStore, type StoreContent, type WriteOptions, type WrittenStore } from '../writing/write-store.js';
import { planPack } from './plan.js';
import { resolveSources } from './resolve-sources.js';

export interface PackOptions extends WriteOptions {
  /** Folder of a Hugging Face checkpoint: config.json, safetensors, tokenizer files. */
  readonly hfDir: string;
  readonly bits: WeightBits;
  /** Only with 4 and 8 bits; 32 where absent. */
  readonly blockSize?: BlockSize | undefined;
}

/**
 * Packs a Hugging Face checkpoint into an expert store. Memory is bounded by some rows of a tensor a thread. The whole
 * checkpoint is checked before anything is written; see writeStore() for what an interruption leaves.
 *
 * @throws ExpertmeshError for every checkpoint that cannot be packed as asked, and as writeStore() does.
 */
export async function packCheckpoint(options: PackOptions): Promise<WrittenStore> {
  const checkpoint = await openCheckpoint(options.hfDir);
  return writeStore(await contentOf(checkpoint, options), options);
}

async function contentOf(checkpoint: Checkpoint, { bits, blockSize }: PackOptions): Promise<StoreContent> {
  const spec = parseModelSpec(checkpoint.config);
  const quantisation = chooseQuantisation(bits, blockSize, halfDtypeOf(checkpoint));
  const blobs = resolveSources(planPack(spec, quantisation), checkpoint);
  return {
    source: checkpoint.fingerprint,
    modelConfig: checkpoint.config,
    quantisation,
    jobs: blobs.map((plan) => ({ kind: 'packed', ...plan })),
    files: await filesBeside(checkpoint.dir),
  };
}

// BF16 has the range of fp32, so it is the choice for everything but a checkpoint whose matrices are all F16 already.
function halfDtypeOf(checkpoint: Checkpoint): HalfDtype {
  const matrices = [...checkpoint.tensors.values()].filter(({ shape }) => shape.length > 1);
  return matrices.every(({ dtype }) => dtype === 'F16') ? 'F16' : 'BF16';
}

/** What a checkpoint may have beside its weights that serving it needs. */
const FILES_BESIDE = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
];

async function filesBeside(dir: string): Promise<StoreContent['files']> {
  const names = FILES_BESIDE.filter((name) => existsSync(join(dir, name)));
  return Promise.all(names.map(async (name) => ({ name, bytes: await readFile(join(dir, name)) })));
}
