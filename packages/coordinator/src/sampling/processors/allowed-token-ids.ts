import { forbidOthers, maskOf, type TokenMask } from '../token-mask.js';
import { type LogitProcessor } from './logit-processor.js';

/** Forbids all tokens but the given ones and those that end the answer. */
export class AllowedTokenIds implements LogitProcessor {
  readonly field = 'allowed_token_ids';
  readonly #tokenIds: readonly number[];
  #mask: TokenMask | undefined;

  constructor(allowedTokenIds: readonly number[], stopTokenIds: ReadonlySet<number>) {
    this.#tokenIds = [...allowedTokenIds, ...stopTokenIds];
  }

  apply(logits: Float32Array): void {
    this.#mask ??= maskOf(this.#tokenIds, logits.length);
    forbidOthers(logits, this.#mask);
  }
}
