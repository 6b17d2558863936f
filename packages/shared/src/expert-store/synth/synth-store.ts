import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { parseModelSpec } from '../../model/model-spec.js';
import { type BlockSize, type WeightBits } from '../quantisation.js';
import { storeBlobs } from '../store-blobs.js';
import { chooseQuantisation } from '../writing/choose-quantisation.js';
import { writeStore, type WriteOptions, type WrittenStore } from '../writing/write-store.js';
import { dummyTokenizer } from './dummy-tokenizer.js';
import { PRESET_CONFIGS, type SynthPreset } from './presets.js';

export interface SynthOptions extends WriteOptions {
  readonly preset: SynthPreset;
  /** The preset's own number where absent. */
  readonly numLayers?: number | undefined;
  readonly bits: WeightBits;
  /** Only with 4 and 8 bits; 32 where absent. */
  readonly blockSize?: BlockSize | undefined;
}

/** Most layers that a dummy store may have. */
export const MAX_LAYERS = 999;

/**
 * Writes a store of a known geometry with dummy weights and a dummy tokenizer, which can be served like any other. The
 * same options give the same store everywhere.
 *
 * @throws ExpertmeshError `invalid_argument` for options that do not go together, and as writeStore() does.
 */
export async function synthStore(options: SynthOptions): Promise<WrittenStore> {
  const preset = PRESET_CONFIGS[options.preset];
  const numLayers = options.numLayers ?? preset.num_hidden_layers;
  if (!Number.isInteger(numLayers) || numLayers < 1 || numLayers > MAX_LAYERS)
    throw new ExpertmeshError(
      'invalid_argument',
      `--layers ${String(numLayers)}: give 1 to ${String(MAX_LAYERS)} layers`,
    );
  const modelConfig = { ...preset, num_hidden_layers: numLayers };
  const quantisation = chooseQuantisation(options.bits, options.blockSize, 'BF16');
  const blobs = storeBlobs(parseModelSpec(modelConfig), quantisation);
  const tokenizer = dummyTokenizer(preset.vocab_size, preset.bos_token_id, preset.max_position_embeddings);
  const content = {
    source: `synth ${options.preset} of ${String(numLayers)} layers`,
    modelConfig,
    quantisation,
    jobs: blobs.map((blob) => ({ kind: 'dummy', blob }) as const),
    files: [
      jsonFile('config.json', modelConfig),
      jsonFile('generation_config.json', tokenizer.generationConfig),
      jsonFile('tokenizer.json', tokenizer.tokenizer),
      jsonFile('tokenizer_config.json', tokenizer.tokenizerConfig),
    ],
  };
  return writeStore(content, options);
}

const jsonFile = (name: string, value: unknown): { name: string; bytes: Uint8Array } => ({
  name,
  bytes: Buffer.from(`${JSON.stringify(value, undefined, 1)}\n`),
});
