import { fork, type ChildProcess, type ForkOptions } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** A command that runs another one, such as `ip netns exec NAME`; empty for none. */
export type CommandPrefix = readonly string[];

/** Flags with which Node runs TypeScript files as they are. */
export const TYPESCRIPT_FLAGS = ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href];

/** Options of `fork` that put the prefix before the command, and give the child no other flags of Node than these. */
export function forkOptions([command, ...args]: CommandPrefix, nodeFlags: readonly string[] = []): ForkOptions {
  if (command === undefined) return { execArgv: [...nodeFlags] };
  return { execPath: command, execArgv: [...args, process.execPath, ...nodeFlags] };
}

/** Forks a TypeScript file with one argument, its settings as JSON. What it prints goes to stderr. */
export function forkTypescript(file: URL, settings: unknown, prefix: CommandPrefix = []): ChildProcess {
  return fork(fileURLToPath(file), [JSON.stringify(settings)], {
    ...forkOptions(prefix, TYPESCRIPT_FLAGS),
    stdio: ['ignore', process.stderr.fd, 'inherit', 'ipc'],
  });
}
