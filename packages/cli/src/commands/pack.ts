import { Command } from 'commander';
import { packCheckpoint } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { addStoreFlags, runStoreCommand, type StoreFlags } from './store-options.js';

export function packCommand(): Command {
  const command = new Command('pack')
    .description('Quantise a Hugging Face checkpoint into an expert store.')
    .argument('<hf-dir>', 'Folder with config.json, *.safetensors and the tokenizer files.')
    .argument('<store-dir>', 'Where the store is to be. Until it is complete it grows in <store-dir>.partial.')
    .addHelpText('after', '\nAn interrupted run is taken up by the same command.')
    .action((hfDir: string, storeDir: string, flags: StoreFlags, command: Command) =>
      runStoreCommand(command, 'Packing', (options) => packCheckpoint({ hfDir, storeDir, ...flags, ...options })),
    );
  return addStoreFlags(command, 'Bits per weight. 16 keeps the half type of the checkpoint.');
}
