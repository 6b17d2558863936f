import { CommanderError } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { program } from './program.js';

let printed = '';
beforeEach(() => {
  printed = '';
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation((chunk) => {
      printed += String(chunk);
      return true;
    });
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** What is printed, and the exit code that commander asks for. */
async function run(...argv: string[]): Promise<{ readonly printed: string; readonly exitCode: number | undefined }> {
  const thrown: unknown = await program('1.2.3')
    .parseAsync(argv, { from: 'user' })
    .catch((error: unknown) => error);
  return { printed, exitCode: thrown instanceof CommanderError ? thrown.exitCode : undefined };
}

describe('the command line', () => {
  it.each([
    ['up', '--kv-cache-bytes <size>'],
    ['synth', '--preset <'],
    // A role prints its help itself.
    ['worker', '--memory-budget-bytes <size>'],
  ])('explains a command: help %s', async (name, flag) => {
    const help = await run('help', name);
    expect(help).toMatchObject({ exitCode: 0, printed: expect.stringContaining(flag) as string });
    expect(help.printed.split('\n').every(({ length }) => length <= 80)).toBe(true);
  });

  it('explains itself, and refuses to explain what it does not know', async () => {
    expect(await run('help')).toMatchObject({ exitCode: 0, printed: expect.stringContaining('Start here:') as string });
    expect(printed.split('\n').every(({ length }) => length <= 80)).toBe(true);
    printed = '';
    const refusal = await run('help', 'nope');
    expect(refusal.printed).toContain("unknown command 'nope'");
    expect(refusal.exitCode).not.toBe(0);
  });
});
