export type ScanResult = 'more' | 'complete' | 'invalid';

type Expected = 'value' | 'first value' | 'key' | 'first key' | 'colon' | 'comma';

const LITERAL = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/u;
const LITERAL_CHAR = /[-+.\w]/u;
const SPACE = /[ \t\n\r]/u;

/**
 * Checks a JSON object, array or string character by character, so that its end is known where it stands. Control
 * characters in strings, which models write, pass.
 */
export class JsonScanner {
  readonly #open: ('{' | '[')[] = [];
  #expected: Expected = 'value';
  #string: 'none' | 'plain' | 'escaped' = 'none';
  #hexDigitsLeft = 0;
  #literal = '';

  get isInString(): boolean {
    return this.#string !== 'none';
  }

  push(char: string): ScanResult {
    if (this.isInString) return this.#pushString(char);
    if (LITERAL_CHAR.test(char)) return this.#pushLiteral(char);
    if (this.#literal !== '' && !this.#endLiteral()) return 'invalid';
    return SPACE.test(char) ? 'more' : this.#pushMark(char);
  }

  /** The brackets that are missing, if nothing else is. */
  closing(): string | undefined {
    if (this.isInString || (this.#literal !== '' && !this.#endLiteral())) return undefined;
    if (!['comma', 'first value', 'first key'].includes(this.#expected)) return undefined;
    return this.#open
      .map((bracket) => (bracket === '{' ? '}' : ']'))
      .reverse()
      .join('');
  }

  #pushString(char: string): ScanResult {
    if (this.#hexDigitsLeft > 0) {
      this.#hexDigitsLeft--;
      return /[\da-fA-F]/u.test(char) ? 'more' : 'invalid';
    }
    if (this.#string === 'escaped') {
      this.#string = 'plain';
      if (char === 'u') this.#hexDigitsLeft = 4;
      return '"\\/bfnrtu'.includes(char) ? 'more' : 'invalid';
    }
    if (char === '\\') this.#string = 'escaped';
    if (char !== '"') return 'more';
    this.#string = 'none';
    return this.#endOfString();
  }

  #endOfString(): ScanResult {
    if (this.#expected !== 'key') return this.#endValue();
    this.#expected = 'colon';
    return 'more';
  }

  #pushLiteral(char: string): ScanResult {
    if (this.#expected !== 'value' && this.#expected !== 'first value') return 'invalid';
    this.#literal += char;
    return this.#open.length > 0 ? 'more' : 'invalid';
  }

  #endLiteral(): boolean {
    const isValid = LITERAL.test(this.#literal);
    this.#literal = '';
    this.#expected = 'comma';
    return isValid;
  }

  #pushMark(char: string): ScanResult {
    const isValue = this.#expected === 'value' || this.#expected === 'first value';
    switch (char) {
      case '{':
      case '[':
        if (!isValue) return 'invalid';
        this.#open.push(char);
        this.#expected = char === '{' ? 'first key' : 'first value';
        return 'more';
      case '"':
        if (!isValue && this.#expected !== 'key' && this.#expected !== 'first key') return 'invalid';
        this.#string = 'plain';
        if (this.#expected === 'first key') this.#expected = 'key';
        return 'more';
      case ':':
        return this.#expect('colon', 'value');
      case ',':
        return this.#expect('comma', this.#open.at(-1) === '{' ? 'key' : 'value');
      case '}':
        return this.#close('{', 'first key');
      case ']':
        return this.#close('[', 'first value');
      default:
        return 'invalid';
    }
  }

  #expect(expected: Expected, next: Expected): ScanResult {
    if (this.#expected !== expected) return 'invalid';
    this.#expected = next;
    return 'more';
  }

  #close(bracket: '{' | '[', whenEmpty: Expected): ScanResult {
    if (this.#open.at(-1) !== bracket) return 'invalid';
    if (this.#expected !== 'comma' && this.#expected !== whenEmpty) return 'invalid';
    this.#open.pop();
    return this.#endValue();
  }

  #endValue(): ScanResult {
    this.#expected = 'comma';
    return this.#open.length === 0 ? 'complete' : 'more';
  }
}
