import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { program } from '../program.js';
import { completionNodes } from './command-tree.js';
import { completionScript } from './completion-script.js';

const nodes = completionNodes(program('1.0.0'));

const nodeAt = (path: string) => nodes.find((node) => node.path.join(' ') === path);

it('knows every command, subcommand and flag, those of the roles too', () => {
  expect(nodeAt('')?.commands.map(({ word }) => word)).toEqual(expect.arrayContaining(['up', 'workers', 'completion']));
  expect(nodeAt('workers')?.commands.map(({ word }) => word)).toContain('drain');
  expect(nodeAt('placement plan')?.flags.map(({ word }) => word)).toContain('--policy');
  expect(nodeAt('worker')?.flags.map(({ word }) => word)).toContain('--store');
});

/** What bash offers for a command line, the last word of which is being typed. */
function offers(...typed: string[]): string[] {
  const words = ['expertmesh', ...typed].map((word) => `'${word}'`).join(' ');
  const script = `${completionScript('bash', nodes)}
COMP_WORDS=(${words}); COMP_CWORD=${String(typed.length)}; _expertmesh; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split('\n');
}

it('completes in bash', () => {
  expect(offers('pla')).toEqual(['placement']);
  expect(offers('placement', 'ro')).toEqual(['rollback']);
  expect(offers('placement', '--json', 'plan', '--surv')).toEqual(['--survive']);
  expect(offers('workers', 'drain', 'w1', '--y')).toEqual(['--yes']);
});

it('leaves the variables alone by which zsh finds programs', () => {
  const names = [...completionScript('zsh', nodes).matchAll(/\blocal (?:-a )?(.*)/g)].map(
    ([, declared = '']) => declared,
  );
  expect(names.join(' ')).not.toMatch(/\b(path|fpath|cdpath|manpath)\b/);
});

it.each(['zsh', 'fish'] as const)('writes a line for every command in %s', (shell) => {
  const script = completionScript(shell, nodes);
  for (const { path } of nodes) expect(script).toContain(path.join(' '));
  expect(script).toContain('Move all experts of a worker');
});
