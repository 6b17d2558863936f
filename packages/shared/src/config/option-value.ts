import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { formatBytes } from '../expert-store/format-bytes.js';
import { parseByteSize } from './byte-size.js';
import { parseDirectoryBudget, type DirectoryBudget } from './directory-budget.js';
import { parseQuietHours, type QuietHours } from './quiet-hours.js';
import { parseNetworkAddress, type NetworkAddress } from './network-address.js';

/** How the text of a flag or of an environment variable becomes a value. */
export interface OptionValue<T> {
  /** Stands for the value in help texts. */
  readonly placeholder: string;
  /** What is accepted, as the end of the sentence "must be ...". */
  readonly accepts: string;
  readonly schema: z.ZodType<T, string>;
  /** Stands for the text where the flag is given without one. */
  readonly preset?: string;
  /** The flag may be given several times: its texts are joined by commas. */
  readonly isList?: true;
  /** It stands in no message. */
  readonly isSecret?: true;
}

/** The text itself; not empty. */
export function text(placeholder: string): OptionValue<string> {
  return { placeholder, accepts: 'a text that is not empty', schema: z.string().min(1) };
}

/** One or more names, separated by commas, each once. */
export function names(placeholder: string): OptionValue<readonly string[]> {
  return {
    placeholder,
    accepts: 'one or more names that are not empty, each once, separated by commas',
    schema: z
      .string()
      .transform((value) => value.split(',').map((name) => name.trim()))
      .pipe(z.array(z.string().min(1)).refine((list) => new Set(list).size === list.length)),
    isList: true,
  };
}

/** A secret itself, or @FILE that has it in its first line: a flag is seen by everybody on the machine. */
export function secret(): OptionValue<string> {
  return {
    placeholder: '<key|@file>',
    accepts: 'a key of 8 characters or more without spaces, or @ and the path of a file that can be read and has it',
    schema: z
      .string()
      .transform((value, context) => {
        if (!value.startsWith('@')) return value;
        try {
          return readFileSync(value.slice(1), 'utf8').split('\n', 1)[0]?.trim() ?? '';
        } catch {
          // What is accepted says that it must be there.
          context.addIssue({ code: 'custom' });
          return z.NEVER;
        }
      })
      .pipe(z.string().regex(/^[^@\s]\S{7,}$/)),
    isSecret: true,
  };
}

/** A path; a relative one counts from the working directory. */
export function path(placeholder: string): OptionValue<string> {
  return {
    placeholder,
    accepts: 'a path',
    schema: z
      .string()
      .min(1)
      .transform((value) => resolve(value)),
  };
}

export function integer(placeholder: string, min: number, max: number): OptionValue<number> {
  return {
    placeholder,
    accepts: `a whole number from ${String(min)} to ${String(max)}`,
    schema: z.string().regex(/^\d+$/).transform(Number).pipe(z.number().min(min).max(max)),
  };
}

/** A number with at most two decimals, such as 2.5. */
export function decimal(placeholder: string, min: number, max: number): OptionValue<number> {
  return {
    placeholder,
    accepts: `a number from ${String(min)} to ${String(max)}, with at most two decimals`,
    schema: z
      .string()
      .regex(/^\d+(\.\d{1,2})?$/)
      .transform(Number)
      .pipe(z.number().min(min).max(max)),
  };
}

/** A TCP port; 0 lets the system choose a free one. */
export function port(): OptionValue<number> {
  return integer('<port>', 0, 65_535);
}

export function durationMs(min: number, max: number): OptionValue<number> {
  return integer('<ms>', min, max);
}

/** A number of bytes, written as 8GiB, 512MiB, 1.5GB or plain. */
export function byteSize(min: number): OptionValue<number> {
  return {
    placeholder: '<size>',
    accepts: `a size such as 8GiB or 512MiB, at least ${formatBytes(min)}`,
    schema: z.string().transform(parseByteSize).pipe(z.number().min(min)),
  };
}

/** A directory and how much may lie in it, written as /var/cache/kv:20GB; a relative path counts from here. */
export function directoryBudget(minBytes: number): OptionValue<DirectoryBudget> {
  const accepts = `a directory and a size such as /var/cache/kv:20GB, at least ${formatBytes(minBytes)}`;
  return {
    placeholder: '<dir:size>',
    accepts,
    schema: z.string().transform((value, context) => {
      const budget = parseDirectoryBudget(value);
      if (budget !== undefined && budget.maxBytes >= minBytes) return { ...budget, dir: resolve(budget.dir) };
      context.addIssue({ code: 'custom', message: accepts });
      return z.NEVER;
    }),
  };
}

/** A span of the local day, such as 22:00-06:30. */
export function hoursOfDay(): OptionValue<QuietHours> {
  return {
    placeholder: '<HH:MM-HH:MM>',
    accepts: 'two different times of the day such as 22:00-06:30',
    schema: z.string().transform((value, context) => {
      const hours = parseQuietHours(value);
      if (hours === undefined) context.addIssue({ code: 'custom' });
      return hours ?? z.NEVER;
    }),
  };
}

export function choice<const T extends string | number>(choices: readonly T[]): OptionValue<T> {
  return {
    placeholder: `<${choices.join('|')}>`,
    accepts: `one of ${choices.join(', ')}`,
    schema: z.string().transform((value, context) => {
      const found = choices.find((candidate) => String(candidate) === value);
      if (found === undefined) context.addIssue({ code: 'custom' });
      return found ?? z.NEVER;
    }),
  };
}

/** A switch: the flag alone turns it on. */
export function onOff(): OptionValue<boolean> {
  return {
    placeholder: '[on|off]',
    accepts: 'on or off',
    schema: z.enum(['on', 'off']).transform((value) => value === 'on'),
    preset: 'on',
  };
}

/** One or more addresses, separated by commas, without repetition. */
export function addresses(defaultPort: number): OptionValue<readonly NetworkAddress[]> {
  const address = z.string().transform((value, context) => {
    const parsed = parseNetworkAddress(value.trim(), defaultPort);
    if (parsed === undefined) context.addIssue({ code: 'custom' });
    return parsed ?? z.NEVER;
  });
  const areDistinct = (list: readonly NetworkAddress[]): boolean =>
    new Set(list.map(({ host, port: listed }) => `${host} ${String(listed)}`)).size === list.length;
  return {
    placeholder: '<host[:port],...>',
    accepts: `addresses such as 10.0.0.5,box-2:${String(defaultPort)}, each once, separated by commas`,
    schema: z
      .string()
      .transform((value) => value.split(','))
      .pipe(z.array(address).refine(areDistinct)),
  };
}
