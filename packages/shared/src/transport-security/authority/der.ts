/*
 * DER (ITU-T X.690) as far as certificates and revocation lists are written with it. What is read of it is in
 * revocation/der-reader.ts: certificates are parsed by OpenSSL alone.
 */

const SEQUENCE = 0x30;
const SET = 0x31;

export const der = {
  sequence: (...parts: readonly Buffer[]) => tagged(SEQUENCE, Buffer.concat(parts)),
  set: (...parts: readonly Buffer[]) => tagged(SET, Buffer.concat(parts)),
  boolean: (value: boolean) => tagged(0x01, Buffer.of(value ? 0xff : 0)),
  integer,
  bitString: (bytes: Buffer, numUnusedBits = 0) => tagged(0x03, Buffer.concat([Buffer.of(numUnusedBits), bytes])),
  octetString: (bytes: Buffer) => tagged(0x04, bytes),
  utf8: (text: string) => tagged(0x0c, Buffer.from(text, 'utf8')),
  oid,
  time,
  /** `[n]`, around whole values. */
  explicit: (tag: number, ...parts: readonly Buffer[]) => tagged(0xa0 | tag, Buffer.concat(parts)),
  /** `[n]`, in the place of a primitive value's own tag. */
  implicit: (tag: number, bytes: Buffer) => tagged(0x80 | tag, bytes),
} as const;

function tagged(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.of(tag), lengthOf(content.length), content]);
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  const bytes = bigEndian(length);
  return Buffer.of(0x80 | bytes.length, ...bytes);
}

/** A whole number that is not negative, as its bytes, the highest first. */
function integer(bytes: Buffer): Buffer {
  const firstIndex = bytes.findIndex((byte) => byte !== 0);
  const significant = firstIndex === -1 ? Buffer.of(0) : bytes.subarray(firstIndex);
  const isNegative = (significant[0] ?? 0) >= 0x80;
  return tagged(0x02, isNegative ? Buffer.concat([Buffer.of(0), significant]) : significant);
}

/** @param dotted such as `2.5.29.17` */
function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return tagged(0x06, Buffer.from([40 * first + second, ...rest].flatMap(base128)));
}

function base128(value: number): number[] {
  const digits = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) digits.unshift(0x80 | (rest % 128));
  return digits;
}

/** Whole seconds; the years from 2050 on have another type (RFC 5280, 4.1.2.5). */
function time(atMs: number): Buffer {
  const digits = `${new Date(atMs).toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}Z`;
  return Number(digits.slice(0, 4)) < 2050
    ? tagged(0x17, Buffer.from(digits.slice(2), 'ascii'))
    : tagged(0x18, Buffer.from(digits, 'ascii'));
}

function bigEndian(value: number): number[] {
  return value < 256 ? [value] : [...bigEndian(Math.floor(value / 256)), value % 256];
}
