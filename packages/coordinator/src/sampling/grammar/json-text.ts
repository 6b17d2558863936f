import type { JsonWhitespace } from './constraint.js';
import { isRecord } from './schema-document.js';
import { EMPTY, type RegexId, type RegexPool } from './regex-pool.js';

/** As much whitespace as JSON may have in one place; a model that never stops writing it ends here. */
const MAX_WHITESPACE = 64;

/** The pieces that JSON texts are made of. Every piece begins with the whitespace before it. */
export class JsonText {
  readonly pool: RegexPool;
  readonly space: RegexId;

  constructor(pool: RegexPool, whitespace: JsonWhitespace) {
    this.pool = pool;
    this.space = whitespace === 'compact' ? EMPTY : pool.repeat(pool.anyOfBytes(' \t\n\r'), 0, MAX_WHITESPACE);
  }

  /** Literals with whitespace before each. */
  tokens(...literals: readonly string[]): RegexId {
    return this.pool.sequence(...literals.flatMap((literal) => [this.space, this.pool.literal(literal)]));
  }

  /** A string of the given inner text, between quotes. */
  quoted(inner: RegexId): RegexId {
    return this.pool.sequence(this.pool.literal('"'), inner, this.pool.literal('"'));
  }

  /** A name and its colon, after a comma where `hasPrevious`. */
  key(name: RegexId, hasPrevious: boolean): RegexId {
    const comma = hasPrevious ? this.tokens(',') : EMPTY;
    return this.pool.sequence(comma, this.space, this.quoted(name), this.tokens(':'));
  }

  /** Exactly one value, with its members in their order. */
  value(value: unknown): RegexId {
    const { pool } = this;
    if (Array.isArray(value))
      return this.#list(
        '[',
        value.map((item: unknown) => this.#spaced(item)),
        ']',
      );
    if (!isRecord(value)) return pool.literal(JSON.stringify(value));
    const members = Object.entries(value).map(([name, member]) =>
      pool.sequence(this.tokens(JSON.stringify(name), ':'), this.#spaced(member)),
    );
    return this.#list('{', members, '}');
  }

  #spaced(value: unknown): RegexId {
    return this.pool.sequence(this.space, this.value(value));
  }

  #list(open: string, items: readonly RegexId[], close: string): RegexId {
    const comma = this.tokens(',');
    const separated = items.flatMap((item, index) => (index === 0 ? [item] : [comma, item]));
    return this.pool.sequence(this.pool.literal(open), ...separated, this.tokens(close));
  }
}
