import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { parseGbnf } from './gbnf-parser.js';
import type { Gbnf } from './gbnf-syntax.js';
import { type GrammarSymbol, Rule } from './grammar-symbol.js';
import { checkLeftRecursion, withoutLeftRecursion } from './left-recursion.js';
import type { RegexAutomaton } from './regex-automaton.js';
import { EMPTY, type RegexId, type RegexPool } from './regex-pool.js';
import { encodedCharacter } from './text-encoding.js';

/**
 * The texts of the rule `root`. Rules that do not refer to themselves are lexemes together with what they stand beside;
 * only recursion needs the stack.
 */
export function gbnfRule(source: string, { pool }: RegexAutomaton): Rule {
  const rules = parseGbnf(source);
  if (!rules.has('root')) throw new ExpertmeshError('invalid_argument', 'grammar: there is no rule root');
  return new GbnfRules(rules, pool).root();
}

class GbnfRules {
  readonly #sources: ReadonlyMap<string, Gbnf>;
  readonly #pool: RegexPool;
  readonly #rules = new Map<string, Rule>();
  /** Expressions of the rules that do not refer to themselves, undefined for the others. */
  readonly #regexes = new Map<string, RegexId | undefined>();

  constructor(sources: ReadonlyMap<string, Gbnf>, pool: RegexPool) {
    this.#sources = new Map([...sources].map(([name, source]) => [name, withoutLeftRecursion(name, source)]));
    this.#pool = pool;
  }

  root(): Rule {
    const root = new Rule('root', () => [this.#symbols({ kind: 'reference', name: 'root' })]);
    checkLeftRecursion(root, this.#pool);
    return root;
  }

  #source(name: string): Gbnf {
    const source = this.#sources.get(name);
    if (source === undefined) throw new ExpertmeshError('invalid_argument', `grammar: there is no rule ${name}`);
    return source;
  }

  #regexOfRule(name: string): RegexId | undefined {
    if (this.#regexes.has(name)) return this.#regexes.get(name);
    // While it is being worked out, a reference to it is recursion.
    this.#regexes.set(name, undefined);
    const regex = this.#regex(this.#source(name));
    this.#regexes.set(name, regex);
    return regex;
  }

  #regex(source: Gbnf): RegexId | undefined {
    const pool = this.#pool;
    switch (source.kind) {
      case 'characters':
        return encodedCharacter(pool, source.set, 'raw');
      case 'literal':
        return pool.literal(source.text);
      case 'reference':
        return this.#regexOfRule(source.name);
      case 'sequence':
        return ifAll(
          source.items.map((item) => this.#regex(item)),
          (parts) => pool.sequence(...parts),
        );
      case 'choice':
        return ifAll(
          source.options.map((option) => this.#regex(option)),
          (options) => pool.either(options),
        );
      case 'repeat':
        return ifAll([this.#regex(source.item)], ([item = EMPTY]) => pool.repeat(item, source.min, source.max));
    }
  }

  #symbols(source: Gbnf): readonly GrammarSymbol[] {
    const regex = this.#regex(source);
    if (regex !== undefined) return [regex];
    switch (source.kind) {
      case 'characters':
      case 'literal':
        return [];
      case 'reference':
        return [this.#rule(source.name)];
      case 'sequence':
        return this.#joined(source.items.flatMap((item) => this.#symbols(item)));
      case 'choice':
        return [new Rule('alternatives', () => source.options.map((option) => this.#symbols(option)))];
      case 'repeat':
        return [this.#repeated(source.item, source.min, source.max)];
    }
  }

  #rule(name: string): Rule {
    const known = this.#rules.get(name);
    if (known !== undefined) return known;
    const rule = new Rule(name, () => [this.#symbols(this.#source(name))]);
    this.#rules.set(name, rule);
    return rule;
  }

  /** Lexemes beside each other become one. */
  #joined(symbols: readonly GrammarSymbol[]): readonly GrammarSymbol[] {
    const joined: GrammarSymbol[] = [];
    for (const symbol of symbols) {
      const previous = joined.at(-1);
      if (typeof symbol === 'number' && typeof previous === 'number') {
        joined[joined.length - 1] = this.#pool.sequence(previous, symbol);
      } else joined.push(symbol);
    }
    return joined;
  }

  #repeated(item: Gbnf, min: number, max: number): Rule {
    const rules = new Map<number, Rule>();
    const last = max < Infinity ? max : min;
    const from = (count: number): Rule => {
      const known = rules.get(count);
      if (known !== undefined) return known;
      const rule = new Rule('a repetition', () => {
        const end = count >= min ? [[]] : [];
        return count < max ? [[...this.#symbols(item), from(Math.min(count + 1, last))], ...end] : end;
      });
      rules.set(count, rule);
      return rule;
    };
    return from(0);
  }
}

function ifAll(
  parts: readonly (RegexId | undefined)[],
  make: (parts: readonly RegexId[]) => RegexId,
): RegexId | undefined {
  const known = parts.filter((part) => part !== undefined);
  return known.length === parts.length ? make(known) : undefined;
}
