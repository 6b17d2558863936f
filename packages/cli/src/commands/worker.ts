import { type Command } from 'commander';
import { roleCommand } from './role-command.js';

export const workerCommand = (): Command =>
  roleCommand('worker', 'Hold a shard of the experts and compute them for coordinators.');
