import { type Command } from 'commander';
import { stat } from 'node:fs/promises';
import { choice, integer, text } from '@expertmesh/shared/config/option-value';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { openExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import {
  BLOCK_SIZES,
  WEIGHT_BITS,
  type BlockSize,
  type WeightBits,
} from '@expertmesh/shared/expert-store/quantisation';
import { PRESET_CONFIGS, SYNTH_PRESETS } from '@expertmesh/shared/expert-store/synth/presets';
import { chooseQuantisation } from '@expertmesh/shared/expert-store/writing/choose-quantisation';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { PLACEMENT_POLICIES, type PlacementPolicy } from '@expertmesh/shared/placement/plan-placement';
import { WIRE_DTYPES, type WireDtype } from '@expertmesh/shared/rpc/dispatch-message';
import { elementBytes, numScales } from '@expertmesh/shared/rpc/wire-rows';
import { simulatedModel, type SimulatedModel } from '@expertmesh/shared/simulate/simulated-model';
import { type SimulatedBox, type SimulatedNetwork } from '@expertmesh/shared/simulate/simulated-box';
import { checkedOption } from '../options/checked-option.js';
import { boxesValue } from './parse-boxes.js';
import { networkValue } from './parse-network.js';

/** Flags of the commands that imagine a cluster. */
export interface ModelFlags {
  readonly model: string;
  readonly layers?: number;
  readonly bits: WeightBits;
  readonly blockSize?: BlockSize;
  readonly boxes: readonly SimulatedBox[];
  readonly network: SimulatedNetwork;
  readonly policy: PlacementPolicy;
  readonly replicas: number;
  readonly survive: number;
  readonly wireDtype: WireDtype;
}

const MAX_REPLICAS = 65_536;
const MAX_LAYERS = 1024;
const HALF_DTYPE = 'BF16';

export function addModelFlags(command: Command): Command {
  return command
    .addOption(
      checkedOption(
        '--model',
        `A geometry (${SYNTH_PRESETS.join(', ')}) or an expert store.`,
        text('<name|dir>'),
      ).default('qwen3-30b-a3b'),
    )
    .addOption(checkedOption('--layers', "Only so many layers. (default: the model's)", integer('<n>', 1, MAX_LAYERS)))
    .addOption(checkedOption('--bits', 'Bits per weight, for a geometry.', choice(WEIGHT_BITS)).default(4))
    .addOption(
      checkedOption('--block-size', 'Weights that share a scale, for a geometry. (default: 32)', choice(BLOCK_SIZES)),
    )
    .addOption(
      checkedOption(
        '--boxes',
        'The machines, such as 4x64GB@40GB/s/8c,1x128GB@100GB/s: number, memory, rate at which it is read, cores (8).',
        boxesValue,
      ).makeOptionMandatory(),
    )
    .addOption(
      checkedOption('--network', "Rate of the coordinator's port and round trip.", networkValue).default(
        { bytesPerSecond: 1.25e9, roundTripSeconds: 1e-4 },
        '10Gbit,0.1ms',
      ),
    )
    .addOption(checkedOption('--policy', 'How experts are placed.', choice(PLACEMENT_POLICIES)).default('balanced'))
    .addOption(checkedOption('--replicas', 'Redundant experts a layer.', integer('<n>', 0, MAX_REPLICAS)).default(0))
    .addOption(checkedOption('--survive', 'How many boxes may fail.', integer('<k>', 0, 1024)).default(0))
    .addOption(checkedOption('--wire-dtype', 'Type of token rows on the wire.', choice(WIRE_DTYPES)).default('fp16'));
}

/**
 * @throws ExpertmeshError as opening a store does; `not_found` for a name that is neither a geometry nor a directory.
 */
export async function modelOf({ model, layers, bits, blockSize }: ModelFlags): Promise<SimulatedModel> {
  const preset = SYNTH_PRESETS.find((name) => name === model);
  if (preset === undefined) {
    if (!(await isDirectory(model)))
      throw new ExpertmeshError(
        'not_found',
        `--model ${model} is neither a geometry (${SYNTH_PRESETS.join(', ')}) nor the directory of an expert store`,
      );
    const store = await openExpertStore(model);
    return simulatedModel(store.spec, store.quantisation);
  }
  const config = PRESET_CONFIGS[preset];
  const spec = parseModelSpec({ ...config, num_hidden_layers: layers ?? config.num_hidden_layers });
  return simulatedModel(spec, chooseQuantisation(bits, blockSize, HALF_DTYPE));
}

const isDirectory = async (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** Bytes of a token's row, one way. */
export function rowBytesOf({ wireDtype }: ModelFlags, { hiddenSize }: SimulatedModel): number {
  return elementBytes(wireDtype, 1, hiddenSize) + 4 * numScales(wireDtype, 1, hiddenSize);
}
