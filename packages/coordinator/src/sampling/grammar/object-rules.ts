import { type GrammarSymbol, Rule } from './grammar-symbol.js';
import { searchRegex } from './pattern-regex.js';
import type { RegexId } from './regex-pool.js';
import { type Conjunction, conjunctionOf } from './schema-document.js';
import { schemaError } from './schema-keywords.js';
import { memberConjunction, namedMembers, nameConjunction, type ObjectShape, type TextRule } from './schema-shape.js';
import { isFoundIn } from './schema-values.js';
import { stringRegex } from './string-regex.js';
import { anyText, encodedText } from './text-encoding.js';
import type { ValueRules } from './value-rules.js';

/** Patterns of names beside each other: a name may match any of their combinations. */
const MAX_NAME_PATTERNS = 4;

interface NamedMember {
  readonly name: string;
  readonly value: Conjunction;
  readonly isRequired: boolean;
  /** By propertyNames. */
  readonly isAllowed: boolean;
}

/** Names that no schema speaks of, all of which have the same kind of value. */
interface OtherMembers {
  /** Without quotes. */
  readonly names: RegexId;
  readonly value: Conjunction;
}

/** The rest of an object after its brace: named members in their order, optional ones or not, then others. */
export function objectRules(shape: ObjectShape, grammar: ValueRules): Rule {
  return new ObjectRules(shape, grammar).from({ index: 0, count: 0, numDistinct: 0 });
}

/** How far an object has come. */
interface Progress {
  /** Named members before it are done; one past all of them once there are others. */
  readonly index: number;
  readonly count: number;
  /** Members that surely have different names: of others, which may repeat each other, only the first. */
  readonly numDistinct: number;
}

class ObjectRules {
  readonly #shape: ObjectShape;
  readonly #grammar: ValueRules;
  readonly #names: readonly string[];
  readonly #required: ReadonlySet<string>;
  /** By index; worked out when a rule needs it, so that a large object takes no time at once. */
  readonly #members = new Map<number, NamedMember>();
  readonly #others: readonly OtherMembers[];
  readonly #rules = new Map<string, Rule>();
  /** By name, as what begins a member: first of the object, and behind another. */
  readonly #keys = [new Map<string, RegexId>(), new Map<string, RegexId>()] as const;

  constructor(shape: ObjectShape, grammar: ValueRules) {
    this.#shape = shape;
    this.#grammar = grammar;
    this.#required = new Set(shape.required);
    this.#names = namedMembers(shape);
    this.#others = this.#otherMembers();
    if (shape.min > this.#names.length + 1) {
      const most = `${String(this.#names.length + 1)}, the named properties and one other`;
      throw schemaError(shape.path, `minProperties ${String(shape.min)} is supported up to ${most}`);
    }
  }

  from({ index, count, numDistinct }: Progress): Rule {
    const { min, max } = this.#shape;
    // From some members on, one more makes no difference.
    const progress = {
      index,
      count: Math.min(count, max < Infinity ? max : 1),
      numDistinct: Math.min(numDistinct, min),
    };
    const key = Object.values(progress).join(',');
    const known = this.#rules.get(key);
    if (known !== undefined) return known;
    const rule = new Rule('members', () => this.#alternatives(progress));
    this.#rules.set(key, rule);
    return rule;
  }

  #alternatives({ index, count, numDistinct }: Progress): readonly (readonly GrammarSymbol[])[] {
    const canGrow = count < this.#shape.max;
    const member = this.#member(index);
    if (member !== undefined) {
      const isPossible = canGrow && member.isAllowed;
      return [
        ...(isPossible ? [this.#withMember(member, { index, count, numDistinct })] : []),
        ...(member.isRequired ? [] : [[this.from({ index: index + 1, count, numDistinct })]]),
      ];
    }
    const { text } = this.#grammar;
    const isFirstOther = index === this.#names.length;
    const alternatives: (readonly GrammarSymbol[])[] = (canGrow ? this.#others : []).map(({ names, value }) => {
      const rest = this.from({
        index: this.#names.length + 1,
        count: count + 1,
        numDistinct: numDistinct + (isFirstOther ? 1 : 0),
      });
      return [text.key(names, count > 0), this.#grammar.ruleOf(value), rest];
    });
    return numDistinct >= this.#shape.min ? [...alternatives, [text.tokens('}')]] : alternatives;
  }

  #member(index: number): NamedMember | undefined {
    const name = this.#names[index];
    const known = this.#members.get(index);
    if (name === undefined || known !== undefined) return known;
    const member = {
      name,
      value: memberConjunction(this.#shape, name, isFoundIn),
      isRequired: this.#required.has(name),
      isAllowed: this.#grammar.reader.isValid(name, nameConjunction(this.#shape)),
    };
    this.#members.set(index, member);
    return member;
  }

  #withMember({ name, value }: NamedMember, { index, count, numDistinct }: Progress): readonly GrammarSymbol[] {
    const rest = this.from({ index: index + 1, count: count + 1, numDistinct: numDistinct + 1 });
    return [this.#keyOf(name, count > 0), this.#grammar.ruleOf(value), rest];
  }

  // Every rule before a member has its key.
  #keyOf(name: string, isBehindAnother: boolean): RegexId {
    const { text } = this.#grammar;
    const keys = this.#keys[isBehindAnother ? 1 : 0];
    const key = keys.get(name) ?? text.key(text.pool.literal(encodedText(name, 'json_plain')), isBehindAnother);
    keys.set(name, key);
    return key;
  }

  #otherMembers(): readonly OtherMembers[] {
    const { pool } = this.#grammar.text;
    const patterns = this.#shape.parts.flatMap((part) => part.patterns.map(({ rule }) => rule));
    const [first] = patterns;
    if (first !== undefined && patterns.length > MAX_NAME_PATTERNS) {
      throw schemaError(first.path, `more than ${String(MAX_NAME_PATTERNS)} patternProperties side by side`);
    }
    const isUnlimited = patterns.length === 0 && this.#names.length === 0 && nameConjunction(this.#shape).length === 0;
    if (isUnlimited) return [{ names: anyText(pool, 'json'), value: this.#valueOfOthers(new Set()) }];
    // Names need not be told apart where none but these may be.
    if (patterns.length === 0 && this.#grammar.reader.shapesOf(this.#valueOfOthers(new Set())).length === 0) return [];
    const common = [pool.not(pool.literals(this.#names.map((name) => encodedText(name, 'json_plain'))))];
    const allowed = this.#allowedNames();
    return Array.from({ length: 2 ** patterns.length }, (_, bits) => {
      const matching = new Set(patterns.filter((_rule, index) => (bits & (1 << index)) !== 0));
      const matches = patterns.map((rule) => {
        const place = { encoding: 'json_plain', where: `schema at ${rule.path}` } as const;
        const found = searchRegex(pool, rule.source, place);
        return matching.has(rule) ? found : pool.not(found);
      });
      return { names: pool.both([allowed, ...common, ...matches]), value: this.#valueOfOthers(matching) };
    });
  }

  #valueOfOthers(matching: ReadonlySet<TextRule>): Conjunction {
    const values = this.#shape.parts.map(({ patterns, additional }) => {
      const found = patterns.filter(({ rule }) => matching.has(rule)).map(({ value }) => value);
      return found.length === 0 ? additional : conjunctionOf(...found);
    });
    return conjunctionOf(...values);
  }

  /** What propertyNames allows; one way of writing each name, so that names can be told apart. */
  #allowedNames(): RegexId {
    const { pool } = this.#grammar.text;
    const schemas = nameConjunction(this.#shape);
    if (schemas.length === 0) return anyText(pool, 'json_plain');
    const options = this.#grammar.reader.shapesOf(schemas).map((shape) => {
      if (shape.kind === 'string') return stringRegex(pool, shape, 'json_plain');
      if (shape.kind !== 'value' || typeof shape.value !== 'string') return pool.literals([]);
      return pool.literal(encodedText(shape.value, 'json_plain'));
    });
    return pool.either(options);
  }
}
