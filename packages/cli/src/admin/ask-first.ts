import { Option, type Command } from 'commander';
import { EXIT_FAILED, EXIT_WRONG_USAGE } from '@expertmesh/shared/process/exit-code';
import { confirm } from '../terminal/confirm.js';

export interface YesFlags {
  readonly yes?: true;
}

export function yesFlag(): Option {
  return new Option('--yes', 'Do not ask.');
}

/**
 * Whether the operator wants what was shown: asks, unless --yes was given. After a no, the exit code is 1. Where nobody
 * can be asked, that is wrong usage.
 */
export async function askFirst(
  command: Command,
  { yes }: YesFlags,
  question: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (yes) return true;
  if (!process.stdin.isTTY)
    command.error('error: nobody can be asked here, as the input is no terminal: give --yes', {
      exitCode: EXIT_WRONG_USAGE,
    });
  const isWanted = await confirm(question, { input: process.stdin, output: process.stderr }, signal);
  if (isWanted) return true;
  process.stderr.write('Nothing was changed.\n');
  process.exitCode = EXIT_FAILED;
  return false;
}
