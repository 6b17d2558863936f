import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type BenchOptions } from '../harness/bench-options.js';

const CLI = fileURLToPath(new URL('../../../packages/cli/dist/main.js', import.meta.url));

/** What all measured clusters are started with. */
export function commonFlags({ numThreads, isa, upFlags }: BenchOptions, maxModelLen: number): string[] {
  return [
    ...['--num-threads', String(numThreads)],
    ...['--isa', isa],
    ...['--max-model-len', String(maxModelLen)],
    ...['--kv-cache-bytes', '1GiB'],
    // Dummy weights repeat themselves: drafts would be accepted that no real text allows.
    ...(hasFlag('up', '--speculative') ? ['--speculative', 'off'] : []),
    // Prompts repeat over the rounds: each is to be computed.
    ...(hasFlag('up', '--prefix-cache') ? ['--prefix-cache', 'off'] : []),
    ...upFlags,
  ];
}

/** Whether a command of this build knows a flag. */
export function hasFlag(command: 'up' | 'coordinator', flag: string): boolean {
  const { stdout } = spawnSync(process.execPath, [CLI, command, '--help'], { encoding: 'utf8' });
  return new RegExp(`^\\s*${flag}\\b`, 'm').test(stdout);
}
