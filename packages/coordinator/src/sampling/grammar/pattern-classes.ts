import {
  type CodePoints,
  codePointsOfProperty,
  complement,
  DIGITS,
  union,
  WHITESPACE,
  WORD_CHARACTERS,
} from './code-points.js';
import type { TextCursor } from './text-cursor.js';

const CONTROL_ESCAPES: Readonly<Record<string, number>> = { n: 0x0a, r: 0x0d, t: 0x09, f: 0x0c, v: 0x0b };

/** A class after its `[`. */
export function parseClass(cursor: TextCursor): CodePoints {
  const isNegated = cursor.take('^');
  const parts: CodePoints[] = [];
  while (!cursor.take(']')) {
    if (cursor.isAtEnd) throw cursor.error('a class without ]');
    parts.push(parseClassItem(cursor));
  }
  const set = union(...parts);
  return isNegated ? complement(set) : set;
}

function parseClassItem(cursor: TextCursor): CodePoints {
  if (cursor.sees('[:')) throw cursor.error('POSIX classes [: are not supported');
  const first = parseClassAtom(cursor);
  if (!cursor.sees('-') || cursor.sees('-]')) return asSet(first);
  cursor.take('-');
  const last = parseClassAtom(cursor);
  // Where a class stands at an end, the hyphen is itself.
  if (typeof first !== 'number' || typeof last !== 'number') {
    return union(asSet(first), [[0x2d, 0x2d]], asSet(last));
  }
  if (last < first) throw cursor.error('a range whose ends are out of order');
  return [[first, last]];
}

function asSet(atom: CodePoints | number): CodePoints {
  return typeof atom === 'number' ? [[atom, atom]] : atom;
}

function parseClassAtom(cursor: TextCursor): CodePoints | number {
  if (!cursor.take('\\')) return cursor.next();
  if (cursor.take('b')) return 0x08;
  return parseClassEscape(cursor) ?? parseCodePointEscape(cursor);
}

/** `\d`, `\w`, `\s`, `\p{...}` and their opposites after the backslash; undefined for another escape. */
export function parseClassEscape(cursor: TextCursor): CodePoints | undefined {
  const classes: Readonly<Record<string, CodePoints>> = { d: DIGITS, w: WORD_CHARACTERS, s: WHITESPACE };
  for (const [letter, set] of Object.entries(classes)) {
    if (cursor.take(letter)) return set;
    if (cursor.take(letter.toUpperCase())) return complement(set);
  }
  const property = cursor.takeMatch(/([pP])\{([^}]*)\}/y);
  if (property === undefined) return undefined;
  const set = codePointsOfProperty(property[2] ?? '');
  if (set === undefined) throw cursor.error(`an unknown property ${property[0]}`);
  return property[1] === 'P' ? complement(set) : set;
}

/** An escape of one character after the backslash. */
export function parseCodePointEscape(cursor: TextCursor): number {
  const hex =
    cursor.takeMatch(/x([0-9a-fA-F]{2})/y) ??
    cursor.takeMatch(/u\{([0-9a-fA-F]{1,6})\}/y) ??
    cursor.takeMatch(/u([dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})/y) ??
    cursor.takeMatch(/u([0-9a-fA-F]{4})/y) ??
    cursor.takeMatch(/U([0-9a-fA-F]{8})/y);
  if (hex !== undefined) return hexCodePoint(cursor, hex[1] ?? '');
  if (cursor.takeMatch(/0(?!\d)/y) !== undefined) return 0;
  const control = cursor.takeMatch(/c([A-Za-z])/y);
  if (control !== undefined) return (control[1] ?? '').charCodeAt(0) % 32;
  const codePoint = cursor.next();
  const character = String.fromCodePoint(codePoint);
  const escaped = CONTROL_ESCAPES[character];
  if (escaped !== undefined) return escaped;
  if (/[A-Za-z0-9]/.test(character)) throw cursor.error(`an unknown escape \\${character}`);
  return codePoint;
}

function hexCodePoint(cursor: TextCursor, digits: string): number {
  const [lead = 0, trail] = digits.split('\\u').map((part) => Number.parseInt(part, 16));
  const codePoint = trail === undefined ? lead : (lead - 0xd800) * 0x400 + (trail - 0xdc00) + 0x10000;
  if (codePoint > 0x10ffff || (codePoint >= 0xd800 && codePoint <= 0xdfff)) {
    throw cursor.error(`a code point U+${digits}, which no text has`);
  }
  return codePoint;
}
