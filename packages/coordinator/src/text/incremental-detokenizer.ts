import { type Tokenizer } from './tokenizer.js';

/**
 * Token ids in, text out, one step at a time. A character whose bytes are spread over several tokens comes out when it
 * is complete; what all pushes and the flush give, joined, is `tokenizer.decode` of all ids.
 */
export class IncrementalDetokenizer {
  readonly #tokenizer: Tokenizer;
  readonly #skipSpecialTokens: boolean;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(tokenizer: Tokenizer, options: { readonly skipSpecialTokens: boolean }) {
    this.#tokenizer = tokenizer;
    this.#skipSpecialTokens = options.skipSpecialTokens;
  }

  /** The text that these tokens complete, maybe none. */
  push(tokenIds: readonly number[]): string {
    let text = '';
    for (const id of tokenIds) {
      if (this.#skipSpecialTokens && this.#tokenizer.isSpecial(id)) continue;
      text += this.#decoder.decode(this.#tokenizer.bytesOf(id), { stream: true });
    }
    return text;
  }

  /** Ends the text: U+FFFD when it stops in the middle of a character, else nothing. */
  flush(): string {
    return this.#decoder.decode();
  }
}
