import { Command } from 'commander';
import { benchCommand } from './commands/bench.js';
import { chatCommand } from './commands/chat.js';
import { coordinatorCommand } from './commands/coordinator.js';
import { doctorCommand } from './commands/doctor.js';
import { packCommand } from './commands/pack.js';
import { synthCommand } from './commands/synth.js';
import { upCommand } from './commands/up.js';
import { workerCommand } from './commands/worker.js';

/** The whole command line. Its parse methods throw CommanderError instead of ending the process. */
export function program(version: string): Command {
  const root = new Command('expertmesh')
    .description('Serves Qwen3 mixture-of-experts models with their experts spread over several boxes.')
    .version(version)
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: false })
    .addHelpText('after', OVERVIEW);
  root.commandsGroup('One machine:').addCommand(upCommand()).addCommand(doctorCommand());
  root.commandsGroup('A cluster:').addCommand(coordinatorCommand()).addCommand(workerCommand());
  root.commandsGroup('Models:').addCommand(packCommand()).addCommand(synthCommand());
  root.commandsGroup('Clients:').addCommand(chatCommand()).addCommand(benchCommand());
  for (const command of [root, ...root.commands]) command.exitOverride();
  return root;
}

const OVERVIEW = `
Start here:
  expertmesh up                                  serve the bundled demo model at http://127.0.0.1:8000/v1
  expertmesh chat                                talk to it, in another terminal

On several boxes:
  expertmesh pack Qwen3-30B-A3B store            quantise a checkpoint once; copy the store to every box
  expertmesh worker --store store                on every box that computes experts
  expertmesh coordinator --store store --workers box-1,box-2

Every flag of up, coordinator, worker and doctor has an environment variable: --kv-cache-bytes is EXPERTMESH_KV_CACHE_BYTES.
Exit codes: 0 done, 1 failed, 2 wrong usage.`;
