import { Command } from 'commander';
import { storeRepairCommand } from './store-repair.js';
import { storeVerifyCommand } from './store-verify.js';

export function storeCommand(): Command {
  return new Command('store')
    .description('Check the files of an expert store, and mend those that are missing or damaged.')
    .addCommand(storeVerifyCommand())
    .addCommand(storeRepairCommand())
    .addHelpText(
      'after',
      `
  expertmesh store verify store
  expertmesh store repair store --from box-1:9101
      fetches what is wrong from a worker's control port; a coordinator's
      gRPC port, another directory and an https:// URL do as well

Workers fetch what their disk lacks by themselves. See docs/store.md.`,
    );
}
