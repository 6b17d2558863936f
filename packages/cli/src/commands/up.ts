import { Command } from 'commander';
import { addOptions } from '@expertmesh/shared/config/parse-config';
import { readUpConfig } from '@expertmesh/shared/config/up-config';
import { UP_OPTIONS } from '@expertmesh/shared/config/up-options';
import { runUp } from '../up/run-up.js';

export function upCommand(): Command {
  return addOptions(
    new Command('up').description('Serve a model on this machine, with a coordinator and worker processes.'),
    UP_OPTIONS,
  ).action((_flags, command: Command) => runUp(readUpConfig(command, process.env)));
}
