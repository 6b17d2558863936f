import { THINK_CLOSE, THINK_OPEN } from './reasoning-splitter.js';
import { type Tokenizer } from './tokenizer.js';

/**
 * Counts the tokens of thinking for `completion_tokens_details.reasoning_tokens`, as ReasoningSplitter separates its
 * text: thinking begins only before the first visible token, and neither the marks nor the newlines around it count.
 * Control tokens are no text. The marks are taken to be tokens of their own, as in Qwen3's vocabulary.
 */
export class ReasoningTokenCounter {
  readonly #tokenizer: Tokenizer;
  readonly #openId: number | undefined;
  readonly #closeId: number | undefined;
  #state: 'start' | 'thinking' | 'content';
  #numTokens = 0;
  /** They count once more thinking follows them. */
  #numTrailingNewlineTokens = 0;

  constructor(tokenizer: Tokenizer, options: { readonly startsInThinking: boolean }) {
    this.#tokenizer = tokenizer;
    this.#openId = tokenizer.idOf(THINK_OPEN);
    this.#closeId = tokenizer.idOf(THINK_CLOSE);
    this.#state = options.startsInThinking ? 'thinking' : 'start';
  }

  get numTokens(): number {
    return this.#numTokens;
  }

  push(tokenIds: readonly number[]): void {
    for (const id of tokenIds) if (this.#state !== 'content' && !this.#tokenizer.isSpecial(id)) this.#advance(id);
  }

  #advance(tokenId: number): void {
    if (this.#state === 'start') {
      if (tokenId === this.#openId) this.#state = 'thinking';
      else if (!this.#isAll(tokenId, WHITESPACE)) this.#state = 'content';
    } else if (tokenId === this.#closeId) {
      this.#state = 'content';
    } else if (!this.#isAll(tokenId, NEWLINES)) {
      this.#numTokens += this.#numTrailingNewlineTokens + 1;
      this.#numTrailingNewlineTokens = 0;
    } else if (this.#numTokens > 0) {
      this.#numTrailingNewlineTokens++;
    }
  }

  #isAll(tokenId: number, bytes: ReadonlySet<number>): boolean {
    return this.#tokenizer.bytesOf(tokenId).every((byte) => bytes.has(byte));
  }
}

const NEWLINES: ReadonlySet<number> = new Set(Buffer.from('\n'));
const WHITESPACE: ReadonlySet<number> = new Set(Buffer.from(' \t\n\v\f\r'));
