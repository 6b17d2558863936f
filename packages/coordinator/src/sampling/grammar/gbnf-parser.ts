import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ALL_CODE_POINTS } from './code-points.js';
import type { Gbnf } from './gbnf-syntax.js';
import { parseClass, parseCodePointEscape } from './pattern-classes.js';
import { parseQuantifier } from './pattern-parser.js';
import { TextCursor } from './text-cursor.js';

const NAME = /[A-Za-z_][A-Za-z0-9_.-]*/y;
const RULE_START = /([A-Za-z_][A-Za-z0-9_.-]*)\s*::=/y;
const SPACE = /(\s|#[^\n]*)+/y;

/**
 * Reads rules `name ::= ...` of literals, classes, groups, alternatives, `* + ? {m,n}` and comments.
 *
 * @returns rules by name, in their order.
 * @throws ExpertmeshError `invalid_argument` for what is no such grammar.
 */
export function parseGbnf(source: string): ReadonlyMap<string, Gbnf> {
  if (!source.includes('::=')) {
    throw new ExpertmeshError('invalid_argument', 'grammar: no rule (name ::= ...); Lark grammars are not supported');
  }
  const cursor = new TextCursor(source, 'grammar');
  const rules = new Map<string, Gbnf>();
  skipSpace(cursor);
  while (!cursor.isAtEnd) {
    const name = cursor.takeMatch(RULE_START)?.[1];
    if (name === undefined) throw cursor.error('a rule (name ::= ...) is expected');
    if (rules.has(name)) throw cursor.error(`a second rule ${name}`);
    skipSpace(cursor);
    rules.set(name, parseChoice(cursor));
  }
  return rules;
}

function skipSpace(cursor: TextCursor): void {
  cursor.takeMatch(SPACE);
}

function parseChoice(cursor: TextCursor): Gbnf {
  const options = [parseSequence(cursor)];
  while (cursor.take('|')) {
    skipSpace(cursor);
    options.push(parseSequence(cursor));
  }
  return { kind: 'choice', options };
}

function parseSequence(cursor: TextCursor): Gbnf {
  const items: Gbnf[] = [];
  while (!cursor.isAtEnd && !cursor.seesAny('|)') && !cursor.seesMatch(RULE_START)) {
    const item = parseItem(cursor);
    const bounds = parseQuantifier(cursor);
    items.push(bounds === undefined ? item : { kind: 'repeat', item, ...bounds });
    skipSpace(cursor);
  }
  return { kind: 'sequence', items };
}

function parseItem(cursor: TextCursor): Gbnf {
  if (cursor.take('"')) return parseLiteral(cursor, '"');
  if (cursor.take("'")) return parseLiteral(cursor, "'");
  if (cursor.take('[')) return { kind: 'characters', set: parseClass(cursor) };
  if (cursor.take('.')) return { kind: 'characters', set: ALL_CODE_POINTS };
  if (cursor.take('(')) {
    skipSpace(cursor);
    const inner = parseChoice(cursor);
    if (!cursor.take(')')) throw cursor.error('a group without )');
    return inner;
  }
  const name = cursor.takeMatch(NAME)?.[0];
  if (name === undefined) throw cursor.error('a literal, a class, a group or a rule is expected');
  return { kind: 'reference', name };
}

function parseLiteral(cursor: TextCursor, quote: string): Gbnf {
  let text = '';
  while (!cursor.take(quote)) {
    if (cursor.isAtEnd || cursor.sees('\n')) throw cursor.error('a literal without an end');
    text += String.fromCodePoint(cursor.take('\\') ? parseCodePointEscape(cursor) : cursor.next());
  }
  return { kind: 'literal', text };
}
