const NOT_PLAIN = /[^A-Za-z0-9_-]+/g;
const ESCAPED_BYTE = /=([0-9a-f]{2})/g;
const EMPTY = '=';

/**
 * Writes any text with the characters that a key of NATS may have: letters, digits, `_` and `-` stand for themselves,
 * each byte of all others is `=` and two hexadecimal digits. A slash is a dot where something is on both sides of it:
 * that is how NATS separates the parts of a name, so that its permissions can tell `worker/a` from `coordinator/a`.
 */
export function encodeKey(key: string): string {
  if (key === '') return EMPTY;
  const parts = key.split('/');
  return parts.includes('') ? encodePart(key) : parts.map(encodePart).join('.');
}

const encodePart = (part: string): string => part.replace(NOT_PLAIN, escaped);

const escaped = (text: string): string =>
  Array.from(Buffer.from(text), (byte) => `=${byte.toString(16).padStart(2, '0')}`).join('');

/** Undefined for what `encodeKey` never gives: somebody else wrote it. */
export function decodeKey(encoded: string): string | undefined {
  if (encoded === EMPTY) return '';
  const bytes = encoded
    .replaceAll('.', '/')
    .replace(ESCAPED_BYTE, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  const text = Buffer.from(bytes, 'latin1').toString();
  return encodeKey(text) === encoded ? text : undefined;
}
