import { spawn } from 'node:child_process';
import { text as textOf } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';

describe('a command whose reader has gone', () => {
  it.each([['--help'], ['worker', '--help'], ['synth', '--help']])('ends quietly: %s %s', async (...argv) => {
    const child = spawn(process.execPath, ['packages/cli/dist/main.js', ...argv]);
    child.stdout.destroy();
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    expect(await textOf(child.stderr)).toBe('');
    expect(await ended).toBe(0);
  });
});
