import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ALL_CODE_POINTS, LINE_ENDS, without } from './code-points.js';
import { parseClass, parseClassEscape, parseCodePointEscape } from './pattern-classes.js';
import type { Pattern } from './pattern-syntax.js';
import { TextCursor } from './text-cursor.js';

/** Repetitions beyond this are refused: they are states. */
const MAX_REPETITIONS = 100_000;

const MAX_NESTING = 200;

/**
 * Reads an ECMAScript pattern. Lazy quantifiers mean the same as greedy ones, since only whole matches count.
 *
 * @param where - what holds the pattern, for messages.
 * @throws ExpertmeshError `invalid_argument` for what is no pattern, and by name for what is not supported: lookaround,
 *   back references, word boundaries, flags.
 */
export function parsePattern(source: string, where: string): Pattern {
  const cursor = new TextCursor(source, where);
  const pattern = parseChoice(cursor, 0);
  if (!cursor.isAtEnd) throw cursor.error('an unmatched )');
  return pattern;
}

function parseChoice(cursor: TextCursor, nesting: number): Pattern {
  if (nesting > MAX_NESTING) throw cursor.error(`groups nested more than ${String(MAX_NESTING)} deep`);
  const options = [parseSequence(cursor, nesting)];
  while (cursor.take('|')) options.push(parseSequence(cursor, nesting));
  const [only] = options;
  return options.length === 1 && only !== undefined ? only : { kind: 'choice', options };
}

function parseSequence(cursor: TextCursor, nesting: number): Pattern {
  const items: Pattern[] = [];
  while (!cursor.isAtEnd && !cursor.sees('|') && !cursor.sees(')')) {
    items.push(parseQuantified(cursor, parseAtom(cursor, nesting)));
  }
  return { kind: 'sequence', items };
}

function parseAtom(cursor: TextCursor, nesting: number): Pattern {
  if (cursor.take('^')) return { kind: 'start' };
  if (cursor.take('$')) return { kind: 'end' };
  if (cursor.take('.')) return { kind: 'characters', set: without(ALL_CODE_POINTS, LINE_ENDS) };
  if (cursor.take('[')) return { kind: 'characters', set: parseClass(cursor) };
  if (cursor.take('(')) return parseGroup(cursor, nesting);
  if (cursor.sees('*') || cursor.sees('+') || cursor.sees('?')) throw cursor.error('a quantifier of nothing');
  if (cursor.take('\\')) return parseEscape(cursor);
  const codePoint = cursor.next();
  return { kind: 'characters', set: [[codePoint, codePoint]] };
}

function parseGroup(cursor: TextCursor, nesting: number): Pattern {
  for (const lookaround of ['?=', '?!', '?<=', '?<!']) {
    if (cursor.sees(lookaround)) throw cursor.error(`lookaround (${lookaround} is not supported`);
  }
  if (cursor.take('?<') || cursor.take('?P<')) {
    if (!cursor.takeThrough('>')) throw cursor.error('a group name without >');
  } else if (!cursor.take('?:') && cursor.sees('?')) throw cursor.error('flags and other groups (? are not supported');
  const inner = parseChoice(cursor, nesting + 1);
  if (!cursor.take(')')) throw cursor.error('a group without )');
  return inner;
}

function parseEscape(cursor: TextCursor): Pattern {
  if (cursor.take('b') || cursor.take('B')) throw cursor.error('word boundaries \\b and \\B are not supported');
  if (cursor.seesAny('123456789') || cursor.take('k')) throw cursor.error('back references are not supported');
  // Anchors of other dialects, which mean the same here.
  if (cursor.take('A')) return { kind: 'start' };
  if (cursor.take('Z') || cursor.take('z')) return { kind: 'end' };
  const set = parseClassEscape(cursor);
  if (set !== undefined) return { kind: 'characters', set };
  const codePoint = parseCodePointEscape(cursor);
  return { kind: 'characters', set: [[codePoint, codePoint]] };
}

function parseQuantified(cursor: TextCursor, item: Pattern): Pattern {
  const bounds = parseQuantifier(cursor);
  if (bounds === undefined) return item;
  if (item.kind === 'start' || item.kind === 'end') throw cursor.error('a quantifier of an anchor');
  cursor.take('?');
  return { kind: 'repeat', item, ...bounds };
}

/** `*`, `+`, `?` or `{m,n}`, of which the upper bound may be Infinity; undefined where there is none. */
export function parseQuantifier(cursor: TextCursor): { readonly min: number; readonly max: number } | undefined {
  if (cursor.take('*')) return { min: 0, max: Infinity };
  if (cursor.take('+')) return { min: 1, max: Infinity };
  if (cursor.take('?')) return { min: 0, max: 1 };
  const match = cursor.takeMatch(/\{\s*(\d+)\s*(,\s*(\d*)\s*)?\}/y);
  if (match === undefined) return undefined;
  const min = Number(match[1]);
  const max = match[2] === undefined ? min : match[3] === '' ? Infinity : Number(match[3]);
  if (max < min) throw cursor.error(`a quantifier whose bounds ${match[0]} are out of order`);
  if (min > MAX_REPETITIONS || (max !== Infinity && max > MAX_REPETITIONS)) {
    throw cursor.error(`a quantifier ${match[0]} above ${String(MAX_REPETITIONS)}`);
  }
  return { min, max };
}

/** For messages about a pattern that holds for no text, or the like. */
export function patternError(where: string, source: string, problem: string): ExpertmeshError {
  return new ExpertmeshError('invalid_argument', `${where}: ${problem} in ${JSON.stringify(source)}`);
}
