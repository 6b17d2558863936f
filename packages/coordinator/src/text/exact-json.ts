import { randomInt } from 'node:crypto';
import { pythonNumber } from './python-number.js';

/** In valid JSON: a string, with the colon behind it where it is a key, or a number. */
const TOKEN = /"(?:[^"\\]+|\\.)*"(?:\s*:)?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gsu;
/** Keys that JavaScript would put before all others. */
const INTEGER_KEY = /^"(?:0|[1-9]\d*)"\s*:$/u;
/** A code point that no text has: Unicode keeps it for use inside programs. */
const KEY_MARK = '\uFDD1';

/**
 * JSON values for templates, which print them as Python's `json.dumps` would: `1.0` and large integers as they are,
 * keys in their order. JavaScript's values have neither, so what they would change is replaced by stand-ins, and those
 * in the rendered text by what they stand for.
 */
export class ExactJson {
  readonly #numbers = new Map<string, string>();
  /** Integers of 16 digits, at random, so that no text can have one on purpose. */
  readonly #firstStandIn = 8_000_000_000_000_000 + randomInt(2 ** 48 - 1);
  #hasMarkedKeys = false;

  /** @throws SyntaxError when the text is not JSON. */
  parse(json: string): unknown {
    // Of what is no JSON the expression below would try every string to the end, again and again.
    JSON.parse(json);
    return JSON.parse(json.replace(TOKEN, (token) => this.#standInFor(token)));
  }

  /** Puts what was parsed back into text that was made of it. */
  restore(rendered: string): string {
    const text = this.#hasMarkedKeys ? rendered.replaceAll(KEY_MARK, '') : rendered;
    if (this.#numbers.size === 0) return text;
    return text.replace(/8\d{15}/gu, (digits) => this.#numbers.get(digits) ?? digits);
  }

  #standInFor(token: string): string {
    if (token.startsWith('"')) {
      if (!INTEGER_KEY.test(token)) return token;
      this.#hasMarkedKeys = true;
      return `"${KEY_MARK}${token.slice(1)}`;
    }
    const printed = pythonNumber(token);
    if (printed === JSON.stringify(Number(token))) return token;
    const standIn = String(this.#firstStandIn + this.#numbers.size);
    this.#numbers.set(standIn, printed);
    return standIn;
  }
}
