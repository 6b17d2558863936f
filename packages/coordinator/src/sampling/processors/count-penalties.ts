import { type LogitProcessor } from './logit-processor.js';

/** Frequency and presence penalty of the OpenAI API: what the answer has is less likely to come again. */
export class CountPenalties implements LogitProcessor {
  readonly field = 'frequency_penalty and presence_penalty';
  readonly #frequencyPenalty: number;
  readonly #presencePenalty: number;
  readonly #counts = new Map<number, number>();

  constructor(frequencyPenalty: number, presencePenalty: number) {
    this.#frequencyPenalty = frequencyPenalty;
    this.#presencePenalty = presencePenalty;
  }

  apply(logits: Float32Array): void {
    for (const [tokenId, count] of this.#counts)
      logits[tokenId] = (logits[tokenId] ?? 0) - this.#frequencyPenalty * count - this.#presencePenalty;
  }

  observe(tokenId: number): void {
    this.#counts.set(tokenId, (this.#counts.get(tokenId) ?? 0) + 1);
  }
}
