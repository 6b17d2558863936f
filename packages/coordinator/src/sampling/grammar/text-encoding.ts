import { ALL_CODE_POINTS, type CodePoints, within, without } from './code-points.js';
import { byteRange, unionOf } from './byte-set.js';
import type { RegexId, RegexPool } from './regex-pool.js';

/**
 * How characters are written: as they are (`raw`); between the quotes of JSON with every escape (`json`); or there with
 * one way of writing each (`json_plain`: no `\u`, no `\/`), for where a text must be told from others.
 */
export type TextEncoding = 'raw' | 'json' | 'json_plain';

/** Sets of more ranges (scripts, letters) are written without `\u`, whose digits would need thousands of states. */
const MAX_ESCAPED_RANGES = 40;

const SHORT_ESCAPES: readonly (readonly [escape: string, codePoint: number])[] = [
  ['"', 0x22],
  ['\\', 0x5c],
  ['/', 0x2f],
  ['b', 0x08],
  ['f', 0x0c],
  ['n', 0x0a],
  ['r', 0x0d],
  ['t', 0x09],
];

/** Control characters, the quote and the backslash stand in JSON strings only as escapes. */
const ESCAPED_ONLY: CodePoints = [
  [0x00, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
];

/** One character of `set` as bytes. Each of its strings is no beginning of another. */
export function encodedCharacter(pool: RegexPool, set: CodePoints, encoding: TextEncoding): RegexId {
  if (encoding === 'raw') return pool.markCharacter(utf8(pool, set));
  const isPlain = encoding === 'json_plain';
  const short = SHORT_ESCAPES.filter(
    ([escape, codePoint]) => !(isPlain && escape === '/') && within(set, codePoint, codePoint).length > 0,
  );
  const escapes = [pool.anyOfBytes(short.map(([escape]) => escape).join(''))];
  if (!isPlain && set.length <= MAX_ESCAPED_RANGES) escapes.push(unicodeEscapes(pool, set));
  const escaped = pool.sequence(pool.literal('\\'), pool.either(escapes));
  return pool.markCharacter(pool.either([utf8(pool, without(set, ESCAPED_ONLY)), escaped]));
}

/** Any character by encoding: every string of a schema is made of them. */
const anyCharacters = new WeakMap<RegexPool, Map<TextEncoding, RegexId>>();

/** Any text in an encoding. */
export function anyText(pool: RegexPool, encoding: TextEncoding, min = 0, max = Infinity): RegexId {
  const known = anyCharacters.get(pool) ?? new Map<TextEncoding, RegexId>();
  anyCharacters.set(pool, known);
  const character = known.get(encoding) ?? encodedCharacter(pool, ALL_CODE_POINTS, encoding);
  known.set(encoding, character);
  return pool.repeat(character, min, max);
}

/** A text in its one plain way of writing. */
export function encodedText(text: string, encoding: TextEncoding): string {
  return encoding === 'raw' ? text : JSON.stringify(text).slice(1, -1);
}

/** `uXXXX`, and for what does not fit two of them: the surrogates of UTF-16. */
function unicodeEscapes(pool: RegexPool, set: CodePoints): RegexId {
  const hex = (first: number, last: number): RegexId =>
    pool.sequence(pool.literal('u'), digitRange(pool, first, last, HEX));
  const options = within(without(set, []), 0, 0xffff).map(([first, last]) => hex(first, last));
  for (const [first, last] of within(set, 0x10000, 0x10ffff)) {
    for (const [low, high] of splitAt(first - 0x10000, last - 0x10000, 0x400)) {
      const lead = pool.sequence(hex(0xd800 + (low >> 10), 0xd800 + (high >> 10)), pool.literal('\\'));
      options.push(pool.sequence(lead, hex(0xdc00 + (low & 0x3ff), 0xdc00 + (high & 0x3ff))));
    }
  }
  return pool.either(options);
}

function utf8(pool: RegexPool, set: CodePoints): RegexId {
  const options: RegexId[] = [];
  const lengths = [
    [0, 0x7f, 0],
    [0x80, 0x7ff, 0xc0],
    [0x800, 0xffff, 0xe0],
    [0x10000, 0x10ffff, 0xf0],
  ] as const;
  for (const [length, [lowest, highest, lead]] of lengths.entries()) {
    for (const [first, last] of within(without(set, []), lowest, highest)) {
      options.push(digitRange(pool, first, last, { numDigits: length + 1, bits: 6, leads: lead }));
    }
  }
  return pool.either(options);
}

/** A number as digits of so many bits; `leads` is undefined for hexadecimal digits, else added to the first byte. */
interface Digits {
  readonly numDigits: number;
  readonly bits: number;
  readonly leads: number | undefined;
}

const HEX: Digits = { numDigits: 4, bits: 4, leads: undefined };

function digitRange(pool: RegexPool, first: number, last: number, digits: Digits): RegexId {
  return digitsFrom(pool, first, last, digits.numDigits - 1, digits);
}

function digitsFrom(pool: RegexPool, first: number, last: number, numAfter: number, digits: Digits): RegexId {
  const unit = 2 ** (digits.bits * numAfter);
  const options = splitAt(first, last, unit).map(([low, high]) => {
    const head = digitBytes(pool, Math.floor(low / unit), Math.floor(high / unit), numAfter, digits);
    if (numAfter === 0) return head;
    return pool.sequence(head, digitsFrom(pool, low % unit, high % unit, numAfter - 1, digits));
  });
  return pool.either(options);
}

function digitBytes(pool: RegexPool, low: number, high: number, numAfter: number, digits: Digits): RegexId {
  if (digits.leads !== undefined) {
    const base = numAfter === digits.numDigits - 1 ? digits.leads : 0x80;
    return pool.range(base + low, base + high);
  }
  const sets = Array.from({ length: high - low + 1 }, (_, index) => {
    const digit = (low + index).toString(16);
    const upper = digit.toUpperCase();
    return [digit, upper].map((text) => byteRange(text.charCodeAt(0), text.charCodeAt(0)));
  });
  return pool.bytes(unionOf(sets.flat()));
}

/** Cuts a range into pieces whose first digits are free of the later ones: all of a unit, or within one unit. */
function splitAt(first: number, last: number, unit: number): readonly (readonly [number, number])[] {
  const lowUnit = Math.floor(first / unit);
  const highUnit = Math.floor(last / unit);
  if (lowUnit === highUnit || unit === 1) return [[first, last]];
  const pieces: (readonly [number, number])[] = [];
  const startsWhole = first % unit === 0;
  const endsWhole = (last + 1) % unit === 0;
  if (!startsWhole) pieces.push([first, (lowUnit + 1) * unit - 1]);
  const wholeFrom = startsWhole ? lowUnit : lowUnit + 1;
  const wholeTo = endsWhole ? highUnit : highUnit - 1;
  if (wholeFrom <= wholeTo) pieces.push([wholeFrom * unit, (wholeTo + 1) * unit - 1]);
  if (!endsWhole) pieces.push([highUnit * unit, last]);
  return pieces;
}
