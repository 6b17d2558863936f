const PLAIN = /[A-Za-z0-9_/-]/;
const EMPTY = '=';

/**
 * Writes any text with the characters that a key of NATS may have: letters, digits, `_`, `-` and `/` stand for
 * themselves, each byte of all others is `=` and two hexadecimal digits. Dots are among those, since NATS gives them a
 * meaning.
 */
export function encodeKey(key: string): string {
  if (key === '') return EMPTY;
  let encoded = '';
  for (const byte of Buffer.from(key)) {
    const character = String.fromCharCode(byte);
    encoded += PLAIN.test(character) ? character : `=${byte.toString(16).padStart(2, '0')}`;
  }
  return encoded;
}

/** Undefined for what `encodeKey` never gives: somebody else wrote it. */
export function decodeKey(encoded: string): string | undefined {
  if (encoded === EMPTY) return '';
  const bytes = encoded.match(/=[0-9a-f]{2}|[^=]/g) ?? [];
  const key = Buffer.from(bytes.map((byte) => (byte.length === 1 ? byte.charCodeAt(0) : parseInt(byte.slice(1), 16))));
  const text = key.toString();
  return encodeKey(text) === encoded ? text : undefined;
}
