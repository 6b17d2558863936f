import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { HELP_LAYOUT } from './help-layout.js';
import { OPTION_TABLES } from './option-tables.js';
import { addOptions } from './parse-config.js';

const helpOf = (command: Command, width: number): string =>
  command.configureHelp({ ...HELP_LAYOUT, helpWidth: width }).helpInformation();

const longestLine = (help: string): number => Math.max(...help.split('\n').map(({ length }) => length));

describe('HELP_LAYOUT', () => {
  it.each(Object.entries(OPTION_TABLES))('keeps the help of %s within the terminal', (name, table) => {
    for (const width of [80, 100, 140])
      expect(longestLine(helpOf(addOptions(new Command(name), table), width))).toBeLessThanOrEqual(width);
  });

  it('puts descriptions beside the flags where there is room, and below them elsewhere', () => {
    const command = new Command('x').option('--colour-of-the-parrot <red|blue>', 'What it looks like.');
    expect(helpOf(command, 100)).toMatch(/<red\|blue> {2}What it looks like\./);
    expect(helpOf(command, 60)).toMatch(/<red\|blue>\n {6}What it looks like\./);
  });
});
