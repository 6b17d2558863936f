import { THINK_CLOSE, THINK_OPEN } from './reasoning-splitter.js';
import { type Tokenizer } from './tokenizer.js';

/** Counts the tokens of thinking, without the marks around it, as `completion_tokens_details.reasoning_tokens`. */
export class ReasoningTokenCounter {
  readonly #openId: number | undefined;
  readonly #closeId: number | undefined;
  #isThinking: boolean;
  #numTokens = 0;

  constructor(tokenizer: Tokenizer, options: { readonly startsInThinking: boolean }) {
    this.#openId = tokenizer.idOf(THINK_OPEN);
    this.#closeId = tokenizer.idOf(THINK_CLOSE);
    this.#isThinking = options.startsInThinking;
  }

  get numTokens(): number {
    return this.#numTokens;
  }

  push(tokenIds: readonly number[]): void {
    for (const id of tokenIds) {
      if (id === this.#openId) this.#isThinking = true;
      else if (id === this.#closeId) this.#isThinking = false;
      else if (this.#isThinking) this.#numTokens++;
    }
  }
}
