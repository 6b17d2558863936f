import { type Help, type HelpConfiguration } from 'commander';

const INDENT = 2;
const DESCRIPTION_INDENT = 6;
/** A narrower column of descriptions would be hard to read. */
const MIN_COLUMN_WIDTH = 40;
const DEFAULT_WIDTH = 80;

/** The flag that shows them. */
export const HELP_OPTION = ['-h, --help', 'Show this help.'] as const;

/**
 * Help texts that keep to the width of the terminal: where two columns have no room, each description goes below its
 * flag.
 */
export const HELP_LAYOUT: HelpConfiguration = {
  formatItem(this: Help, term: string, termWidth: number, description: string, helper: Help): string {
    const width = this.helpWidth ?? DEFAULT_WIDTH;
    const columnStart = INDENT + termWidth + INDENT;
    if (description === '') return ' '.repeat(INDENT) + term;
    return width - columnStart >= MIN_COLUMN_WIDTH
      ? `${' '.repeat(INDENT)}${term.padEnd(termWidth)}${' '.repeat(INDENT)}${boxed(columnStart)}`
      : `${' '.repeat(INDENT)}${term}\n${' '.repeat(DESCRIPTION_INDENT)}${boxed(DESCRIPTION_INDENT)}`;

    function boxed(indent: number): string {
      return helper.boxWrap(description, width - indent).replaceAll('\n', `\n${' '.repeat(indent)}`);
    }
  },
};
