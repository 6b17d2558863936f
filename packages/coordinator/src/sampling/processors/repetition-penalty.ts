import { type LogitProcessor } from './logit-processor.js';

/** Makes tokens of the prompt and of the answer less likely, as in CTRL (arXiv 1909.05858). */
export class RepetitionPenalty implements LogitProcessor {
  readonly field = 'repetition_penalty';
  readonly #penalty: number;
  readonly #tokenIds: Set<number>;

  constructor(penalty: number, promptTokenIds: readonly number[]) {
    this.#penalty = penalty;
    this.#tokenIds = new Set(promptTokenIds);
  }

  apply(logits: Float32Array): void {
    for (const tokenId of this.#tokenIds) {
      const logit = logits[tokenId] ?? 0;
      logits[tokenId] = logit > 0 ? logit / this.#penalty : logit * this.#penalty;
    }
  }

  observe(tokenId: number): void {
    this.#tokenIds.add(tokenId);
  }
}
