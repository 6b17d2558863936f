const PLAIN = /[A-Za-z0-9_-]/;
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

function encodePart(part: string): string {
  let encoded = '';
  for (const byte of Buffer.from(part)) {
    const character = String.fromCharCode(byte);
    encoded += PLAIN.test(character) ? character : `=${byte.toString(16).padStart(2, '0')}`;
  }
  return encoded;
}

/** Undefined for what `encodeKey` never gives: somebody else wrote it. */
export function decodeKey(encoded: string): string | undefined {
  if (encoded === EMPTY) return '';
  const bytes = encoded.replaceAll('.', '/').match(/=[0-9a-f]{2}|[^=]/g) ?? [];
  const key = Buffer.from(bytes.map((byte) => (byte.length === 1 ? byte.charCodeAt(0) : parseInt(byte.slice(1), 16))));
  const text = key.toString();
  return encodeKey(text) === encoded ? text : undefined;
}
