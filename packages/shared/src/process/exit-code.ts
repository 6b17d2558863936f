import { CommanderError } from 'commander';

/** The exit codes of every command. */
export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_WRONG_USAGE = 2;

/** Commander throws for wrong usage (and, with code 0, after it has printed a help text or the version). */
export function exitCodeOf(thrown: unknown): number {
  if (!(thrown instanceof CommanderError)) return EXIT_FAILED;
  return thrown.exitCode === EXIT_DONE ? EXIT_DONE : EXIT_WRONG_USAGE;
}
