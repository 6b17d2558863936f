import { patternError, parsePattern } from './pattern-parser.js';
import type { Pattern } from './pattern-syntax.js';
import { EMPTY, type RegexId, type RegexPool } from './regex-pool.js';
import { anyText, encodedCharacter, type TextEncoding } from './text-encoding.js';

/** One way to match: the expression, and whether the pattern holds it to the text's start and end. */
interface Branch {
  readonly regex: RegexId;
  readonly isStart: boolean;
  readonly isEnd: boolean;
}

export interface PatternPlace {
  readonly encoding: TextEncoding;
  /** For messages. */
  readonly where: string;
}

/** The texts in which the pattern is found, as JSON Schema means it. */
export function searchRegex(pool: RegexPool, source: string, { encoding, where }: PatternPlace): RegexId {
  const any = anyText(pool, encoding);
  const branches = new PatternBuilder(pool, encoding, source, where).branches();
  return pool.either(
    branches.map(({ regex, isStart, isEnd }) => pool.sequence(isStart ? EMPTY : any, regex, isEnd ? EMPTY : any)),
  );
}

/** The texts that the pattern matches from start to end. */
export function wholeRegex(pool: RegexPool, source: string, { encoding, where }: PatternPlace): RegexId {
  return pool.either(new PatternBuilder(pool, encoding, source, where).branches().map(({ regex }) => regex));
}

class PatternBuilder {
  readonly #pool: RegexPool;
  readonly #encoding: TextEncoding;
  readonly #source: string;
  readonly #where: string;

  constructor(pool: RegexPool, encoding: TextEncoding, source: string, where: string) {
    this.#pool = pool;
    this.#encoding = encoding;
    this.#source = source;
    this.#where = where;
  }

  branches(): readonly Branch[] {
    return this.#build(parsePattern(this.#source, this.#where));
  }

  #build(pattern: Pattern): readonly Branch[] {
    switch (pattern.kind) {
      case 'characters':
        return [branch(encodedCharacter(this.#pool, pattern.set, this.#encoding))];
      case 'start':
        return [{ regex: EMPTY, isStart: true, isEnd: false }];
      case 'end':
        return [{ regex: EMPTY, isStart: false, isEnd: true }];
      case 'choice':
        return this.#merge(pattern.options.flatMap((option) => this.#build(option)));
      case 'sequence':
        return this.#sequence(pattern.items.map((item) => this.#build(item)));
      case 'repeat':
        return this.#repeat(pattern.min, pattern.max, this.#build(pattern.item));
    }
  }

  /** Right to left, so that what is made is right-leaning from the start. */
  #sequence(parts: readonly (readonly Branch[])[]): readonly Branch[] {
    return parts.reduceRight<readonly Branch[]>(
      (rest, part) => this.#merge(part.flatMap((first) => rest.map((second) => this.#join(first, second)))),
      [branch(EMPTY)],
    );
  }

  #join(first: Branch, second: Branch): Branch {
    if ((second.isStart && first.regex !== EMPTY) || (first.isEnd && second.regex !== EMPTY)) {
      throw patternError(this.#where, this.#source, 'an anchor ^ or $ within a pattern is not supported');
    }
    return {
      regex: this.#pool.sequence(first.regex, second.regex),
      isStart: first.isStart || second.isStart,
      isEnd: first.isEnd || second.isEnd,
    };
  }

  #repeat(min: number, max: number, inner: readonly Branch[]): readonly Branch[] {
    const isAnchored = inner.some(({ isStart, isEnd }) => isStart || isEnd);
    if (!isAnchored) {
      const regex = this.#pool.either(inner.map((option) => option.regex));
      return [branch(this.#pool.repeat(regex, min, max))];
    }
    if (max > 1) throw patternError(this.#where, this.#source, 'a repeated anchor ^ or $ is not supported');
    return min === 0 ? this.#merge([...inner, branch(EMPTY)]) : inner;
  }

  /** One branch for each kind of anchoring. */
  #merge(branches: readonly Branch[]): readonly Branch[] {
    const kinds = [0, 1, 2, 3].map((kind) => ({ isStart: kind % 2 === 1, isEnd: kind >= 2 }));
    return kinds.flatMap(({ isStart, isEnd }) => {
      const same = branches.filter((option) => option.isStart === isStart && option.isEnd === isEnd);
      return same.length === 0 ? [] : [{ regex: this.#pool.either(same.map(({ regex }) => regex)), isStart, isEnd }];
    });
  }
}

function branch(regex: RegexId): Branch {
  return { regex, isStart: false, isEnd: false };
}
