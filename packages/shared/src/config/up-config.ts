import { type Command } from 'commander';
import { servingContradiction } from './coordinator-config.js';
import { type ConfigOf, type Environment } from './option.js';
import { readConfig } from './parse-config.js';
import { UP_OPTIONS } from './up-options.js';

export type UpConfig = ConfigOf<typeof UP_OPTIONS>;

/**
 * @param command a command with UP_OPTIONS that has been parsed.
 * @throws CommanderError for wrong usage, after the message was printed.
 */
export function readUpConfig(command: Command, env: Environment): UpConfig {
  return readConfig(command, UP_OPTIONS, env, servingContradiction);
}
