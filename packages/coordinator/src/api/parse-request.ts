import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { RequestError } from '../generation/request-error.js';
import { fieldErrors } from './field-errors.js';

/** What becomes of fields of a request that nobody knows. */
export type UnknownFields = 'refuse' | 'ignore';

/** @throws RequestError naming the first field at fault. */
export function parseRequest<T>(schema: z.ZodType<T>, body: unknown, unknownFields: UnknownFields = 'refuse'): T {
  const result = schema.safeParse(body, { error: fieldErrors });
  if (result.success) return result.data;
  const unknown = unknownFields === 'ignore' ? unknownKeys(result.error) : [];
  if (unknown.length > 0) return parseRequest(schema, without(body as object, unknown));
  const [issue] = result.error.issues;
  throw issue === undefined ? new RequestError('invalid_value', result.error.message) : toRequestError(issue);
}

/** Those of the request itself. */
const unknownKeys = ({ issues }: z.ZodError): readonly string[] =>
  issues.flatMap((issue) => (issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : []));

const without = (body: object, keys: readonly string[]): object =>
  Object.fromEntries(Object.entries(body).filter(([key]) => !keys.includes(key)));

/** A field that may be left out or null, as OpenAI's clients do with what they do not use. */
export function optional<T>(schema: z.ZodType<T>) {
  return schema
    .nullish()
    .transform((value) => value ?? undefined)
    .optional();
}

/** A known field that works only with the values that change nothing; anything else is refused, not ignored. */
export function unsupported(...neutralValues: readonly unknown[]) {
  return z
    .unknown()
    .refine((value) => [undefined, null, ...neutralValues].some((neutral) => isDeepStrictEqual(value, neutral)), {
      params: { requestCode: 'unsupported_parameter', neutralValues },
    })
    .optional();
}

/** For a schema that is a function: refuses a known value or field that is not supported. */
export function refuseUnsupported(context: z.RefinementCtx, message: string): void {
  context.addIssue({ code: 'custom', message, params: { requestCode: 'unsupported_parameter' } });
}

function toRequestError(issue: z.core.$ZodIssue): RequestError {
  const param = formatPath(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const name = formatPath([...issue.path, issue.keys[0] ?? '']);
    return new RequestError('unknown_parameter', `Unknown field: ${name}`, name);
  }
  if (issue.code === 'custom' && issue.params?.['requestCode'] === 'unsupported_parameter') {
    return new RequestError('unsupported_parameter', unsupportedMessage(issue, param), param);
  }
  return new RequestError('invalid_value', `${param === '' ? 'The request body' : param} ${issue.message}`, param);
}

function unsupportedMessage(issue: z.core.$ZodIssueCustom, param: string): string {
  const neutralValues = issue.params?.['neutralValues'] as readonly unknown[] | undefined;
  if (neutralValues === undefined) return `${param} ${issue.message}`;
  const neutral = neutralValues.map((value) => JSON.stringify(value)).join(' or ');
  return `${param} is not supported: leave it out${neutral === '' ? '' : ` or set it to ${neutral}`}`;
}

/** ['messages', 0, 'role'] -> messages[0].role */
const formatPath = (path: readonly PropertyKey[]): string =>
  path
    .map((key) => (typeof key === 'number' ? `[${String(key)}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');
