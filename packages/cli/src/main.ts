import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { EXIT_DONE, exitCodeOf } from '@expertmesh/shared/process/exit-code';
import { program } from './program.js';

const packageJson = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

// Who reads stdout may have enough, as `head` has: no failure, and nobody is left to be told more.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT_DONE);
});

try {
  await program(packageJson.version).parseAsync();
} catch (error) {
  report(error);
  process.exitCode = exitCodeOf(error);
}

// Commander has printed its own errors already. The stack is of use only where the failure is a bug.
function report(error: unknown): void {
  if (error instanceof CommanderError) return;
  const failure = ExpertmeshError.from(error);
  process.stderr.write(`expertmesh: ${failure.message}\n`);
  if (failure.code === 'internal')
    process.stderr.write(`${String((failure.cause as Error | undefined)?.stack ?? failure.stack)}\n`);
}
