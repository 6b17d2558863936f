import { type GrammarSymbol, Rule } from './grammar-symbol.js';
import { JsonText } from './json-text.js';
import type { RegexAutomaton } from './regex-automaton.js';
import type { RegexId, RegexPool } from './regex-pool.js';
import type { SchemaGrammar } from './schema-grammar.js';
import { schemaError } from './schema-keywords.js';
import { memberConjunction, namedMembers, type ObjectShape, type Shape } from './schema-shape.js';
import { isFoundIn } from './schema-values.js';
import { stringRegex } from './string-regex.js';

const OPEN = '<parameter=';
const CLOSE = '</parameter>';

/**
 * The parameters of a call in XML: those that the schema names, in its order; strings as they are, everything else as
 * JSON.
 */
export function toolParameters(grammar: SchemaGrammar): Rule {
  const shapes = grammar.reader.shapesOf(grammar.rootSchemas());
  const objects = shapes.filter((shape) => shape.kind === 'object');
  return new Rule('parameters', () => objects.map((shape) => [parametersOf(shape, grammar)]));
}

/** Any parameters with any text. */
export function anyParameters({ pool }: RegexAutomaton): Rule {
  const text = new JsonText(pool, 'free');
  const character = pool.both([pool.range(0, 255), pool.not(pool.anyOfBytes('<>\n'))]);
  const parameter = pool.sequence(
    text.tokens(OPEN),
    pool.repeat(character, 1, 128),
    pool.literal('>\n'),
    textWithoutClose(pool),
    pool.literal(`\n${CLOSE}`),
  );
  const more: Rule = new Rule('any parameters', () => [[], [parameter, more]]);
  return more;
}

function parametersOf(shape: ObjectShape, grammar: SchemaGrammar): Rule {
  const names = namedMembers(shape);
  const required = new Set(shape.required);
  if (shape.min > required.size || shape.max < names.length) {
    throw schemaError(shape.path, 'minProperties and maxProperties are not supported for parameters in XML');
  }
  const rules = names.map(
    (name) => new Rule(`parameter ${name}`, () => parameter(name, memberShapes(shape, name, grammar), grammar)),
  );
  const rests: Rule[] = [];
  const from = (index: number): Rule =>
    (rests[index] ??= new Rule('parameters', () => {
      const alternatives: (readonly GrammarSymbol[])[] = [];
      for (const [offset, name] of names.slice(index).entries()) {
        const rule = rules[index + offset];
        if (rule !== undefined) alternatives.push([rule, from(index + offset + 1)]);
        if (required.has(name)) return alternatives;
      }
      return [...alternatives, []];
    }));
  return from(0);
}

function memberShapes(shape: ObjectShape, name: string, { reader }: SchemaGrammar): readonly Shape[] {
  return reader.shapesOf(memberConjunction(shape, name, isFoundIn));
}

/** One parameter with its tags; a value that is a string stands between them as it is. */
function parameter(
  name: string,
  shapes: readonly Shape[],
  grammar: SchemaGrammar,
): readonly (readonly GrammarSymbol[])[] {
  const { text } = grammar;
  const { pool } = text;
  const open = pool.sequence(text.tokens(`${OPEN}${name}>`), pool.literal('\n'));
  const texts: RegexId[] = [];
  const others: Shape[] = [];
  for (const shape of shapes) {
    if (shape.kind === 'string') texts.push(stringRegex(pool, shape, 'raw'));
    else if (shape.kind === 'value' && typeof shape.value === 'string') texts.push(pool.literal(shape.value));
    else others.push(shape);
  }
  const raw = pool.both([pool.either(texts), textWithoutClose(pool)]);
  return [
    [pool.sequence(open, raw, pool.literal(`\n${CLOSE}`))],
    ...grammar.alternativesOf(others).map((value) => [open, ...value, text.tokens(CLOSE)]),
  ];
}

function textWithoutClose(pool: RegexPool): RegexId {
  const any = pool.repeat(pool.range(0, 255), 0, Infinity);
  return pool.not(pool.sequence(any, pool.literal(CLOSE), any));
}
