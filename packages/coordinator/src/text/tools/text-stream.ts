/**
 * A parser as a coroutine: `yield` waits for more text, in the middle of whatever it does. What it finds cannot depend
 * on how the text is cut, as it looks at one character after the other.
 */
export type Parsing<T> = Generator<undefined, T, undefined>;

/** Text that arrives in pieces, read by looking ahead: nothing is consumed until it is taken. */
export class TextStream {
  #text = '';
  #position = 0;
  #hasEnded = false;

  feed(text: string): void {
    this.#text = this.#text.slice(this.#position) + text;
    this.#position = 0;
  }

  end(): void {
    this.#hasEnded = true;
  }

  /** The character (UTF-16 unit) so far ahead; empty behind the end. */
  *at(offset: number): Parsing<string> {
    for (;;) {
      const char = this.#text[this.#position + offset];
      if (char !== undefined) return char;
      if (this.#hasEnded) return '';
      yield;
    }
  }

  /** Waits for no more text than it takes to tell. */
  *startsWith(marker: string, offset: number): Parsing<boolean> {
    for (let index = 0; index < marker.length; index++) {
      if ((yield* this.at(offset + index)) !== marker[index]) return false;
    }
    return true;
  }

  /** The offset of the next character that is no whitespace, or of the end. */
  *skipSpace(offset: number): Parsing<number> {
    let end = offset;
    while (isSpace(yield* this.at(end))) end++;
    return end;
  }

  /** Consumes text that has been looked at. */
  take(length: number): string {
    const start = this.#position;
    this.#position += length;
    return this.#text.slice(start, this.#position);
  }
}

function isSpace(char: string): boolean {
  return char !== '' && char.trim() === '';
}
