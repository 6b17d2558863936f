import { HELP_LAYOUT, HELP_OPTION } from '@expertmesh/shared/config/help-layout';
import { Command } from 'commander';
import { auditCommand } from './commands/audit.js';
import { benchCommand } from './commands/bench.js';
import { certsCommand } from './commands/certs.js';
import { chatCommand } from './commands/chat.js';
import { completionCommand } from './commands/completion.js';
import { coordinatorCommand } from './commands/coordinator.js';
import { doctorCommand } from './commands/doctor.js';
import { expertsCommand } from './commands/experts.js';
import { packCommand } from './commands/pack.js';
import { placementCommand } from './commands/placement.js';
import { rebalanceCommand } from './commands/rebalance.js';
import { rpcCommand } from './commands/rpc.js';
import { simulateCommand } from './commands/simulate.js';
import { storeCommand } from './commands/store.js';
import { synthCommand } from './commands/synth.js';
import { topCommand } from './commands/top.js';
import { upCommand } from './commands/up.js';
import { workerCommand } from './commands/worker.js';
import { workersCommand } from './commands/workers.js';

/** The whole command line. Its parse methods throw CommanderError instead of ending the process. */
export function program(version: string): Command {
  const root = new Command('expertmesh')
    .description('Serves Qwen3 mixture-of-experts models with their experts spread over several boxes.')
    .version(version, '-V, --version', 'Show the version.')
    .helpCommand(false)
    .addHelpText('after', OVERVIEW);
  root.commandsGroup('One machine:').addCommand(upCommand()).addCommand(doctorCommand());
  const roles = [coordinatorCommand(), workerCommand()];
  root.commandsGroup('A cluster:');
  for (const role of roles) root.addCommand(role);
  root.addCommand(certsCommand());
  root
    .commandsGroup('A running cluster:')
    .addCommand(topCommand())
    .addCommand(workersCommand())
    .addCommand(placementCommand())
    .addCommand(rebalanceCommand())
    .addCommand(expertsCommand())
    .addCommand(auditCommand())
    .addCommand(rpcCommand());
  root
    .commandsGroup('Models:')
    .addCommand(packCommand())
    .addCommand(storeCommand())
    .addCommand(synthCommand())
    .addCommand(simulateCommand());
  root.commandsGroup('Clients:').addCommand(chatCommand()).addCommand(benchCommand());
  root.commandsGroup('Shell:').addCommand(completionCommand(root));
  root.addCommand(helpCommand(root), { hidden: true });
  for (const command of withSubcommands(root)) {
    command.configureHelp(HELP_LAYOUT).helpCommand(false).exitOverride();
    // A role reads its --help itself.
    if (!roles.includes(command)) command.helpOption(...HELP_OPTION);
  }
  return root;
}

const withSubcommands = (command: Command): Command[] => [command, ...command.commands.flatMap(withSubcommands)];

/** `help up` is `up --help`, and `help workers list` is `workers list --help`. */
function helpCommand(root: Command): Command {
  return new Command('help').argument('[command...]').action(async (names: readonly string[]) => {
    // An unknown one alone is refused as elsewhere; its --help would be the help of all.
    await root.parseAsync([...names, ...(isCommand(root, names) ? ['--help'] : [])], { from: 'user' });
  });
}

function isCommand(root: Command, names: readonly string[]): boolean {
  let found: Command | undefined = root;
  for (const name of names) found = found?.commands.find((command) => command.name() === name);
  return found !== undefined;
}

const OVERVIEW = `
Start here:
  expertmesh up               serves the demo model at http://127.0.0.1:8000/v1
  expertmesh chat             talks to it, in another terminal
  expertmesh help up          explains the flags of a command

On several boxes:
  expertmesh pack Qwen3-30B-A3B store
      quantises a checkpoint once; copy the store to every box
  expertmesh worker --store store --nats-url nats://box-0:4222
      on every box that computes experts; they find each other over NATS
  expertmesh coordinator --store store --nats-url nats://box-0:4222
      or without NATS: worker --store store, coordinator --workers box-1,box-2
  expertmesh certs
      makes the certificates that those need beyond one machine

  expertmesh top
      watches it; workers, placement and rebalance change it

Every flag of up, coordinator, worker and doctor has an environment variable:
--kv-cache-bytes is EXPERTMESH_KV_CACHE_BYTES, and --coordinator of what speaks
with a running cluster is EXPERTMESH_COORDINATOR.
Exit codes: 0 done, 1 failed, 2 wrong usage.`;
