import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { z } from 'zod';
import { type ApiKey, hashOfKey } from './api-key.js';

/** Names are labels of metrics, and each key is compared with each that is presented. */
const MAX_KEYS = 1000;

const limit = z.number().int().positive().optional();

const limitsSchema = z.strictObject({
  requestsPerMinute: limit,
  tokensPerMinute: limit,
  concurrentRequests: limit,
  maxModelLen: limit,
});

const nameSchema = z.string().regex(/^[\w.:@-]{1,64}$/, 'must have 1 to 64 letters, digits or any of . _ : @ -');
const hashSchema = z.string().regex(/^[0-9a-f]{64}$/i, 'must be a SHA-256 in hexadecimal, 64 digits');
const keySchema = z.string().min(8, 'must have at least 8 characters');

const entrySchema = z
  .strictObject({
    name: nameSchema,
    sha256: hashSchema.optional(),
    key: keySchema.optional(),
    limits: limitsSchema.default({}),
  })
  .refine(({ sha256, key }) => (sha256 === undefined) !== (key === undefined), 'must have either sha256 or key');

const fileSchema = z.strictObject({ keys: z.array(entrySchema).max(MAX_KEYS) });

/**
 * Reads keys from the text of a file: JSON, or one a line as `name sha256:HEX` or `name KEY`, with limits behind it
 * such as `requests-per-minute=60`. docs/api.md describes both.
 *
 * @throws ExpertmeshError `invalid_argument` naming the entry and what is wrong with it, and never a key.
 */
export function parseKeyFile(text: string, path: string): readonly ApiKey[] {
  const entries = text.trimStart().startsWith('{') ? readJson(text, path) : { keys: readLines(text, path) };
  const { success, data, error } = fileSchema.safeParse(entries);
  if (!success)
    throw refused(path, error.issues.map(({ path: at, message }) => `${at.join('.')} ${message}`).join('; '));
  const keys = data.keys.map(({ name, sha256, key = '', limits }) => ({
    name,
    hash: sha256 === undefined ? hashOfKey(key) : Buffer.from(sha256, 'hex'),
    limits,
  }));
  refuseDuplicates(keys, path);
  return keys;
}

function readJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message would show a part of the file.
    throw refused(path, 'it begins like JSON, and is none');
  }
}

const LIMIT_NAMES: Readonly<Record<string, keyof z.infer<typeof limitsSchema>>> = {
  'requests-per-minute': 'requestsPerMinute',
  'tokens-per-minute': 'tokensPerMinute',
  'concurrent-requests': 'concurrentRequests',
  'max-model-len': 'maxModelLen',
};

function readLines(text: string, path: string): unknown[] {
  return text.split('\n').flatMap((line, index) => {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) return [];
    const [name, key, ...limits] = trimmed.split(/\s+/);
    const hash = key?.startsWith('sha256:') === true ? { sha256: key.slice('sha256:'.length) } : { key };
    return [{ name, ...hash, limits: Object.fromEntries(limits.map((text) => readLimit(text, index + 1, path))) }];
  });
}

function readLimit(text: string, lineNumber: number, path: string): [string, number] {
  const [, name = '', value] = /^([a-z-]+)=(\d+)$/.exec(text) ?? [];
  const limitName = LIMIT_NAMES[name];
  if (limitName !== undefined) return [limitName, Number(value)];
  const known = Object.keys(LIMIT_NAMES).join('=, ');
  throw refused(path, `what follows the key in line ${String(lineNumber)} must be limits: ${known}=`);
}

function refuseDuplicates(keys: readonly ApiKey[], path: string): void {
  const seen = new Set<string>();
  for (const { name, hash } of keys)
    for (const value of [`name ${name}`, hash.toString('hex')]) {
      if (seen.has(value)) throw refused(path, `${name} stands twice, or has the key of another`);
      seen.add(value);
    }
}

const refused = (path: string, why: string): ExpertmeshError =>
  new ExpertmeshError('invalid_argument', `the key file ${path} cannot be used: ${why}`);
