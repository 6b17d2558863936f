import { type Command } from 'commander';
import { roleCommand } from './role-command.js';

export function workerCommand(): Command {
  return roleCommand('worker', 'Hold a shard of the experts and compute them for coordinators.');
}
