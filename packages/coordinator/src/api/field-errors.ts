import { type z } from 'zod';

/**
 * Says what is wrong with a field, as the rest of a sentence that begins with its name: "is required", "must be a
 * number, is a string". A message that a schema brings itself goes before it.
 */
export const fieldErrors: z.core.$ZodErrorMap = (issue) => {
  if (issue.code === 'invalid_union') return wrongKind(issue);
  if (issue.input === undefined) return 'is required';
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${WORDS[issue.expected] ?? issue.expected}, is ${kindOf(issue.input)}`;
    case 'invalid_value':
      return `must be ${anyOf(issue.values)}, is ${shown(issue.input)}`;
    case 'too_small':
      if (Number(issue.minimum) === 1 && issue.origin !== 'number') return 'must not be empty';
      return limit('at least', issue.minimum, issue.input);
    case 'too_big':
      return limit('at most', issue.maximum, issue.input);
    case 'invalid_format':
    case 'invalid_key':
    case 'invalid_element':
    case 'not_multiple_of':
    case 'unrecognized_keys':
    case 'custom':
      return undefined;
  }
};

/** For a union, which says what it takes as a whole; its parts' complaints would contradict each other. */
export function mustBe(accepted: string) {
  return ({ input }: { readonly input?: unknown }): string =>
    input === undefined ? 'is required' : `must be ${accepted}, is ${kindOf(input)}`;
}

/** The discriminator of a union, such as the role of a message, is none of those that there are. */
function wrongKind({
  discriminator,
  options,
  input,
}: z.core.$ZodRawIssue<z.core.$ZodIssueInvalidUnion>): string | undefined {
  if (discriminator === undefined || !Array.isArray(options)) return undefined;
  const found = (input as Readonly<Record<string, unknown>>)[discriminator];
  return found === undefined ? 'is required' : `must be ${anyOf(options)}, is ${shown(found)}`;
}

function limit(bound: string, count: number | bigint, input: unknown): string {
  if (Array.isArray(input)) return `must have ${bound} ${String(count)} entries, has ${String(input.length)}`;
  if (typeof input === 'string') return `must have ${bound} ${String(count)} characters, has ${String(input.length)}`;
  return `must be ${bound} ${String(count)}, is ${String(input)}`;
}

/** Types, as who writes JSON knows them. */
const WORDS: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  number: 'a number',
  object: 'an object',
  record: 'an object',
  string: 'a string',
};

function kindOf(input: unknown): string {
  if (input === null || typeof input === 'boolean') return String(input);
  return WORDS[Array.isArray(input) ? 'array' : typeof input] ?? typeof input;
}

const MAX_SHOWN_CHARS = 40;

/** A short text as it is; of anything else its type. */
const shown = (input: unknown): string =>
  typeof input === 'string' && input.length <= MAX_SHOWN_CHARS ? JSON.stringify(input) : kindOf(input);

const anyOf = (values: readonly unknown[]): string => values.map((value) => JSON.stringify(value)).join(' or ');
