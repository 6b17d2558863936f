import { Option, type Command } from 'commander';
import { EXIT_WRONG_USAGE } from '../process/exit-code.js';
import { machineResources } from '../process/machine.js';
import { HELP_LAYOUT, HELP_OPTION } from './help-layout.js';
import { type OptionValue } from './option-value.js';
import { OPTION_TABLES } from './option-tables.js';
import {
  describeDefault,
  ENVIRONMENT_PREFIX,
  environmentName,
  flagName,
  type ConfigOf,
  type DefaultContext,
  type Environment,
  type OptionTable,
} from './option.js';

/**
 * Reads a role's settings: a flag wins over its environment variable, which wins over the default.
 *
 * @param argv the arguments after the role's name.
 * @param check returns what is wrong with settings that are right one by one and contradict each other.
 * @throws CommanderError for wrong usage, after the message (or, with --help, the help text) was printed.
 */
export function parseConfig<Table extends OptionTable>(
  command: Command,
  table: Table,
  argv: readonly string[],
  env: Environment,
  check: (config: ConfigOf<Table>) => string | undefined = () => undefined,
): ConfigOf<Table> {
  addOptions(command, table)
    .configureHelp(HELP_LAYOUT)
    .helpOption(...HELP_OPTION)
    .exitOverride()
    .parse(argv, { from: 'user' });
  return readConfig(command, table, env, check);
}

/** Adds a flag for every entry of the table; the texts that they are given are read by `readConfig`. */
export function addOptions(command: Command, table: OptionTable): Command {
  for (const [key, spec] of Object.entries(table)) {
    const preset = describeDefault(spec);
    const origin = `[${preset === undefined ? 'required' : `default: ${preset}`}; env: ${environmentName(key)}]`;
    const flag = new Option(`${flagName(key)} ${spec.value.placeholder}`, `${spec.description} ${origin}`);
    if (spec.value.preset !== undefined) flag.preset(spec.value.preset);
    if (spec.value.isList) flag.argParser(joined);
    command.addOption(flag);
  }
  return command;
}

const joined = (text: string, before: string | undefined): string =>
  before === undefined ? text : `${before},${text}`;

/** The second half of `parseConfig`, for a command that has been parsed. */
export function readConfig<Table extends OptionTable>(
  command: Command,
  table: Table,
  env: Environment,
  check: (config: ConfigOf<Table>) => string | undefined = () => undefined,
): ConfigOf<Table> {
  const fail = (message: string): never => command.error(`error: ${message}`, { exitCode: EXIT_WRONG_USAGE });
  const unknown = Object.keys(env).find((name) => name.startsWith(ENVIRONMENT_PREFIX) && !KNOWN_ENVIRONMENT.has(name));
  if (unknown !== undefined) fail(`the environment variable ${unknown} is no setting of any command: misspelt?`);
  const given: Readonly<Record<string, string | undefined>> = command.opts();
  const context: DefaultContext = { machine: machineResources(), env };
  const entries = Object.keys(table).map((key) => [key, readOption(table, key, given[key], context, fail)]);
  const config = Object.freeze(Object.fromEntries(entries)) as ConfigOf<Table>;
  const contradiction = check(config);
  return contradiction === undefined ? config : fail(contradiction);
}

// Variables of other roles are fine, since machines may share one environment file; misspelt ones must not be ignored.
const KNOWN_ENVIRONMENT: ReadonlySet<string> = new Set(
  Object.values(OPTION_TABLES).flatMap((table) => Object.keys(table).map(environmentName)),
);

const wrongValue = (source: string, text: string, { accepts, isSecret }: OptionValue<unknown>): string =>
  `${source} ${isSecret ? 'is wrong' : `is '${text}'`}: it must be ${accepts}`;

function readOption(
  table: OptionTable,
  key: string,
  flagText: string | undefined,
  context: DefaultContext,
  fail: (message: string) => never,
): unknown {
  const spec = table[key];
  if (spec === undefined) throw new RangeError(`no option ${key}`);
  const text = flagText ?? context.env[environmentName(key)];
  if (text !== undefined) {
    const parsed = spec.value.schema.safeParse(text);
    const source = flagText === undefined ? environmentName(key) : flagName(key);
    return parsed.success ? parsed.data : fail(wrongValue(source, text, spec.value));
  }
  switch (spec.default.kind) {
    case 'required':
      return fail(`${flagName(key)} ${spec.value.placeholder} (or ${environmentName(key)}) is required`);
    case 'constant':
      return spec.default.value;
    case 'computed':
      return spec.default.compute(context);
  }
}
