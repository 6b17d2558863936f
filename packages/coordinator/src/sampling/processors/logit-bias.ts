import { type LogitProcessor } from './logit-processor.js';

/** Adds to the logits of some tokens. */
export class LogitBias implements LogitProcessor {
  readonly field = 'logit_bias';
  readonly #bias: ReadonlyMap<number, number>;

  constructor(bias: ReadonlyMap<number, number>) {
    this.#bias = bias;
  }

  apply(logits: Float32Array): void {
    for (const [tokenId, bias] of this.#bias) logits[tokenId] = (logits[tokenId] ?? 0) + bias;
  }
}
