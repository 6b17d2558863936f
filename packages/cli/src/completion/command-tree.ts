import { type Command } from 'commander';
import { OPTION_TABLES } from '@expertmesh/shared/config/option-tables';
import { flagName } from '@expertmesh/shared/config/option';

/** What can be completed after a chain of commands. */
export interface CompletionNode {
  /** Names below the program, such as ['workers', 'list']; empty for the program itself. */
  readonly path: readonly string[];
  readonly commands: readonly CompletionWord[];
  readonly flags: readonly CompletionWord[];
}

export interface CompletionWord {
  readonly word: string;
  readonly description: string;
}

/** Every command with its subcommands and flags, from commander's own tree. */
export function completionNodes(root: Command): CompletionNode[] {
  return nodesBelow(root, []);
}

function nodesBelow(command: Command, path: readonly string[]): CompletionNode[] {
  const { commands } = command;
  const help = command.createHelp();
  const shown = help
    .visibleCommands(command)
    .map((child) => ({ word: child.name(), description: firstSentence(child.description()) }));
  const flags = help
    .visibleOptions(command)
    .flatMap(({ long, description }) =>
      long === undefined ? [] : [{ word: long, description: firstSentence(description) }],
    );
  const node = { path, commands: shown, flags: [...flags, ...roleFlags(path)] };
  return [node, ...commands.flatMap((child) => nodesBelow(child, [...path, child.name()]))];
}

// A role reads its flags itself, so commander does not know them here.
function roleFlags(path: readonly string[]): CompletionWord[] {
  const [role] = path;
  if (role !== 'coordinator' && role !== 'worker') return [];
  const entries = Object.entries(OPTION_TABLES[role]);
  return entries.map(([key, { description }]) => ({ word: flagName(key), description: firstSentence(description) }));
}

const firstSentence = (text: string): string => /^.*?(?=[.:;](?:\s|$)| \[|$)/s.exec(text)?.[0] ?? text;
