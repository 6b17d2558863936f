import { type Command } from 'commander';
import { roleCommand } from './role-command.js';

export function coordinatorCommand(): Command {
  return roleCommand(
    'coordinator',
    'Serve a model over HTTP, with its experts on workers that meet it over NATS or that --workers names.',
  );
}
