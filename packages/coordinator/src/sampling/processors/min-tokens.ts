import { type LogitProcessor } from './logit-processor.js';

/** Forbids the tokens that end an answer until it is long enough. */
export class MinTokens implements LogitProcessor {
  readonly field = 'min_tokens';
  readonly #minTokens: number;
  readonly #stopTokenIds: ReadonlySet<number>;

  constructor(minTokens: number, stopTokenIds: ReadonlySet<number>) {
    this.#minTokens = minTokens;
    this.#stopTokenIds = stopTokenIds;
  }

  apply(logits: Float32Array, answer: readonly number[]): void {
    if (answer.length >= this.#minTokens) return;
    for (const tokenId of this.#stopTokenIds) logits[tokenId] = -Infinity;
  }
}
