import type { JsonWhitespace } from './constraint.js';
import { type GrammarSymbol, Rule } from './grammar-symbol.js';
import { JsonText } from './json-text.js';
import { numberRegex } from './number-regex.js';
import { objectRules } from './object-rules.js';
import type { RegexAutomaton } from './regex-automaton.js';
import type { RegexId } from './regex-pool.js';
import type { Conjunction } from './schema-document.js';
import { SchemaReader } from './schema-reader.js';
import { type ArrayShape, itemConjunction, type Shape } from './schema-shape.js';
import { stringRegex } from './string-regex.js';
import type { ValueRules } from './value-rules.js';

/** The grammar of the JSON texts that a schema holds to be valid. Rules of values begin with whitespace. */
export class SchemaGrammar implements ValueRules {
  readonly reader: SchemaReader;
  readonly text: JsonText;
  readonly #rules = new Map<string, Rule>();

  constructor(schema: unknown, automaton: RegexAutomaton, whitespace: JsonWhitespace = 'free') {
    this.reader = new SchemaReader(schema, automaton);
    this.text = new JsonText(automaton.pool, whitespace);
  }

  /** What the whole schema says. */
  rootSchemas(): Conjunction {
    return this.reader.document.member(this.reader.document.root);
  }

  root(): Rule {
    return this.ruleOf(this.rootSchemas());
  }

  /** Values for which all of the schemas hold. */
  ruleOf(schemas: Conjunction): Rule {
    const key = schemas.map(({ id }) => id).join(',');
    const known = this.#rules.get(key);
    if (known !== undefined) return known;
    const rule = new Rule(schemas[0]?.path ?? 'a value', () => this.alternativesOf(this.reader.shapesOf(schemas)));
    this.#rules.set(key, rule);
    return rule;
  }

  /** Values of any of the shapes. Those without members are one lexeme together; arrays and objects are rules. */
  alternativesOf(shapes: readonly Shape[]): readonly (readonly GrammarSymbol[])[] {
    const { pool } = this.text;
    const scalars: RegexId[] = [];
    const alternatives: (readonly GrammarSymbol[])[] = [];
    for (const shape of shapes) {
      if (shape.kind === 'object') alternatives.push([this.text.tokens('{'), objectRules(shape, this)]);
      else if (shape.kind === 'array') alternatives.push([this.text.tokens('['), this.#items(shape)]);
      else scalars.push(this.#scalar(shape));
    }
    return scalars.length === 0
      ? alternatives
      : [[pool.sequence(this.text.space, pool.either(scalars))], ...alternatives];
  }

  #scalar(shape: Exclude<Shape, { readonly kind: 'object' | 'array' }>): RegexId {
    const { pool } = this.text;
    switch (shape.kind) {
      case 'null':
        return pool.literal('null');
      case 'boolean':
        return pool.literals(['true', 'false']);
      case 'value':
        return this.text.value(shape.value);
      case 'number':
        return numberRegex(pool, shape);
      case 'string':
        return this.text.quoted(stringRegex(pool, shape, 'json'));
    }
  }

  /** The rest of an array after its bracket. From `last` items on, one more makes no difference. */
  #items(shape: ArrayShape): Rule {
    const longestPrefix = Math.max(0, ...shape.parts.map(({ prefix }) => prefix.length));
    const last = shape.max < Infinity ? shape.max : Math.max(shape.min, longestPrefix, 1);
    const rules = new Map<number, Rule>();
    const from = (index: number): Rule => {
      const known = rules.get(index);
      if (known !== undefined) return known;
      const rule = new Rule('items', () => {
        const close = index >= shape.min ? [[this.text.tokens(']')]] : [];
        if (index >= shape.max) return close;
        const item = this.ruleOf(itemConjunction(shape, index));
        const comma = index > 0 ? [this.text.tokens(',')] : [];
        return [[...comma, item, from(Math.min(index + 1, last))], ...close];
      });
      rules.set(index, rule);
      return rule;
    };
    return from(0);
  }
}
