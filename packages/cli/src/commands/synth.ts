import { Command } from 'commander';
import { choice, integer } from '@expertmesh/shared/config/option-value';
import { SYNTH_PRESETS, type SynthPreset } from '@expertmesh/shared/expert-store/synth/presets';
import { MAX_LAYERS, synthStore } from '@expertmesh/shared/expert-store/synth/synth-store';
import { addStoreFlags, checkedOption, runStoreCommand, type StoreFlags } from './store-options.js';

type SynthFlags = StoreFlags & { readonly preset: SynthPreset; readonly layers?: number };

export function synthCommand(): Command {
  const command = new Command('synth')
    .description('write an expert store of a known geometry with dummy weights, to measure with')
    .argument('<store-dir>', 'where the store is to be; until it is complete it grows in <store-dir>.partial')
    .addOption(checkedOption('--preset', 'the geometry', choice(SYNTH_PRESETS)).makeOptionMandatory())
    .addOption(checkedOption('--layers', "number of layers (default: the preset's)", integer('<n>', 1, MAX_LAYERS)))
    .action((storeDir: string, { preset, layers, ...flags }: SynthFlags) =>
      runStoreCommand('Writing', (options) =>
        synthStore({ preset, numLayers: layers, storeDir, ...flags, ...options }),
      ),
    );
  return addStoreFlags(command);
}
