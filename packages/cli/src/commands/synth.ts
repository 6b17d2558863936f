import { Command } from 'commander';
import { choice, integer } from '@expertmesh/shared/config/option-value';
import { SYNTH_PRESETS, type SynthPreset } from '@expertmesh/shared/expert-store/synth/presets';
import { MAX_LAYERS, synthStore } from '@expertmesh/shared/expert-store/synth/synth-store';
import { checkedOption } from '../options/checked-option.js';
import { addStoreFlags, runStoreCommand, type StoreFlags } from './store-options.js';

type SynthFlags = StoreFlags & { readonly preset: SynthPreset; readonly layers?: number };

export function synthCommand(): Command {
  const command = new Command('synth')
    .description('Write an expert store of a known geometry with dummy weights, to measure with.')
    .argument('<store-dir>', 'Where the store is to be. Until it is complete it grows in <store-dir>.partial.')
    .addOption(checkedOption('--preset', 'The geometry. (required)', choice(SYNTH_PRESETS)).makeOptionMandatory())
    .addOption(checkedOption('--layers', "Number of layers. (default: the preset's)", integer('<n>', 1, MAX_LAYERS)))
    .action((storeDir: string, { preset, layers, ...flags }: SynthFlags, command: Command) =>
      runStoreCommand(command, 'Writing', (options) =>
        synthStore({ preset, numLayers: layers, storeDir, ...flags, ...options }),
      ),
    );
  return addStoreFlags(command, 'Bits per weight.');
}
