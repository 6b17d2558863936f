import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/** A place in a text that is being parsed. */
export class TextCursor {
  readonly #text: string;
  readonly #where: string;
  #offset = 0;

  /** @param where - what the text is, for messages. */
  constructor(text: string, where: string) {
    this.#text = text;
    this.#where = where;
  }

  get isAtEnd(): boolean {
    return this.#offset >= this.#text.length;
  }

  sees(expected: string): boolean {
    return this.#text.startsWith(expected, this.#offset);
  }

  seesAny(characters: string): boolean {
    return !this.isAtEnd && characters.includes(this.#text.charAt(this.#offset));
  }

  /** Goes past `expected` where it is next. */
  take(expected: string): boolean {
    if (!this.sees(expected)) return false;
    this.#offset += expected.length;
    return true;
  }

  /** Goes past the next `end`. @returns false where there is none. */
  takeThrough(end: string): boolean {
    const found = this.#text.indexOf(end, this.#offset);
    if (found === -1) return false;
    this.#offset = found + end.length;
    return true;
  }

  /** @param pattern - sticky. */
  takeMatch(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#offset;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#offset += match[0].length;
    return match;
  }

  /** @param pattern - sticky. */
  seesMatch(pattern: RegExp): boolean {
    pattern.lastIndex = this.#offset;
    return pattern.test(this.#text);
  }

  /** The next code point, which is gone past. */
  next(): number {
    const codePoint = this.#text.codePointAt(this.#offset);
    if (codePoint === undefined) throw this.error('an end that is too early');
    this.#offset += codePoint > 0xffff ? 2 : 1;
    return codePoint;
  }

  error(problem: string): ExpertmeshError {
    const rest = this.#text.slice(this.#offset, this.#offset + 20);
    const place = `at offset ${String(this.#offset)}${rest === '' ? ', the end' : ` before ${JSON.stringify(rest)}`}`;
    return new ExpertmeshError('invalid_argument', `${this.#where}: ${problem} ${place}`);
  }
}
