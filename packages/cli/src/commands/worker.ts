import { type Command } from 'commander';
import { roleCommand } from './role-command.js';

export const workerCommand = (): Command =>
  roleCommand('worker', 'hold a shard of the experts and compute them for coordinators');
