import { type MachineResources } from '../process/machine.js';
import { type OptionValue } from './option-value.js';

/** One setting of a role. The names of its flag and of its environment variable follow from its key in the table. */
export interface OptionSpec<T> {
  /** Whole sentences: meaning, unit, and why one would change it. */
  readonly description: string;
  readonly value: OptionValue<T>;
  readonly default: DefaultValue<T>;
}

export type DefaultValue<T> =
  | { readonly kind: 'required' }
  | { readonly kind: 'constant'; readonly value: T }
  /** `description` completes "Default: ..." in help texts. */
  | { readonly kind: 'computed'; readonly description: string; readonly compute: (context: DefaultContext) => T };

/** What a default may depend on. */
export interface DefaultContext {
  readonly machine: MachineResources;
  readonly env: Environment;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export type OptionTable = Readonly<Record<string, OptionSpec<unknown>>>;

/** The typed result of reading a table. */
export type ConfigOf<Table extends OptionTable> = {
  readonly [Key in keyof Table]: Table[Key] extends OptionSpec<infer T> ? T : never;
};

/** Makes a spec whose type is what the value's parser gives, or undefined where that is the default. */
export function option<T, Default extends T | undefined = T>(spec: {
  readonly description: string;
  readonly value: OptionValue<T>;
  readonly default: DefaultValue<Default>;
}): OptionSpec<T | Default> {
  return spec;
}

export const required = { kind: 'required' } as const;

export function constant<const T>(value: T): DefaultValue<T> {
  return { kind: 'constant', value };
}

export function computed<T>(description: string, compute: (context: DefaultContext) => T): DefaultValue<T> {
  return {
    kind: 'computed',
    description,
    compute,
  };
}

/** Absent unless given; `description` says what holds then. */
export function absent(description: string): DefaultValue<undefined> {
  return computed(description, () => undefined);
}

/** natsUrl -> --nats-url */
export function flagName(key: string): string {
  return `--${kebabCase(key)}`;
}

/** natsUrl -> EXPERTMESH_NATS_URL */
export function environmentName(key: string): string {
  return `${ENVIRONMENT_PREFIX}${kebabCase(key).replaceAll('-', '_').toUpperCase()}`;
}

export const ENVIRONMENT_PREFIX = 'EXPERTMESH_';

const kebabCase = (key: string): string => key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** "Default: ..." as help texts and docs show it; undefined for a required option. */
export function describeDefault(spec: OptionSpec<unknown>): string | undefined {
  switch (spec.default.kind) {
    case 'required':
      return undefined;
    case 'constant':
      return typeof spec.default.value === 'boolean' ? (spec.default.value ? 'on' : 'off') : String(spec.default.value);
    case 'computed':
      return spec.default.description;
  }
}
