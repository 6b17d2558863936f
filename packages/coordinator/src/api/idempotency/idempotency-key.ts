import { createHash } from 'node:crypto';
import { type IncomingHttpHeaders } from 'node:http';
import { RequestError } from '../../generation/request-error.js';

const MAX_KEY_CHARS = 255;

/**
 * The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header), with or without the quotes of a structured
 * string.
 *
 * @throws RequestError for one that is no key.
 */
export function idempotencyKeyOf({ 'idempotency-key': value }: IncomingHttpHeaders): string | undefined {
  if (value === undefined) return undefined;
  const key = /^"([\x20-\x21\x23-\x5b\x5d-\x7e]+)"$|^([\x21\x23-\x5b\x5d-\x7e]+)$/.exec(String(value));
  const text = key?.[1] ?? key?.[2];
  if (text !== undefined && text.length <= MAX_KEY_CHARS) return text;
  const message = `The header Idempotency-Key must have 1 to ${String(MAX_KEY_CHARS)} printable ASCII characters`;
  throw new RequestError('invalid_value', message, 'Idempotency-Key');
}

interface SeededFields {
  readonly seed?: number | undefined;
}

/**
 * The request with a seed: where it names none, the key is one, so that every coordinator draws the same tokens for it.
 */
export function seededByKey<Fields extends SeededFields>(fields: Fields, headers: IncomingHttpHeaders): Fields {
  const key = idempotencyKeyOf(headers);
  const namesSeed = fields.seed !== undefined && fields.seed !== -1;
  return key === undefined || namesSeed ? fields : { ...fields, seed: seedOf(key) };
}

/** 52 bits, which a JavaScript number holds. */
function seedOf(key: string): number {
  return Number.parseInt(createHash('sha256').update(key).digest('hex').slice(0, 13), 16);
}
