/** A set of byte values: bit `b & 31` of word `b >> 5` says whether byte `b` is in it; 8 words. */
export type ByteSet = Uint32Array;

export function byteRange(first: number, last: number): ByteSet {
  const set = new Uint32Array(8);
  for (let byte = first; byte <= last; byte++) addByte(set, byte);
  return set;
}

export function bytesOfText(text: string): ByteSet {
  const set = new Uint32Array(8);
  for (const character of text) addByte(set, character.charCodeAt(0));
  return set;
}

export function addByte(set: ByteSet, byte: number): void {
  set[byte >> 5] = (set[byte >> 5] ?? 0) | (1 << (byte & 31));
}

export function hasByte(set: ByteSet, byte: number): boolean {
  return (((set[byte >> 5] ?? 0) >>> (byte & 31)) & 1) === 1;
}

export function unionOf(sets: Iterable<ByteSet>): ByteSet {
  const union = new Uint32Array(8);
  for (const set of sets) for (let word = 0; word < 8; word++) union[word] = (union[word] ?? 0) | (set[word] ?? 0);
  return union;
}

export function haveCommonByte(a: ByteSet, b: ByteSet): boolean {
  return a.some((word, index) => (word & (b[index] ?? 0)) !== 0);
}

export function isEmptySet(set: ByteSet): boolean {
  return set.every((word) => word === 0);
}

/** Ascending. */
export function bytesIn(set: ByteSet): number[] {
  const bytes: number[] = [];
  for (let byte = 0; byte < 256; byte++) if (hasByte(set, byte)) bytes.push(byte);
  return bytes;
}
