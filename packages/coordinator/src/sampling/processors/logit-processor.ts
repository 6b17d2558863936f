/** Bends the logits of one answer before a token is drawn. It lives as long as the answer. */
export interface LogitProcessor {
  /** The field of the request that asks for it, for messages. */
  readonly field: string;
  /**
   * Forbidding a token is setting its logit to -Infinity; no processor may raise a logit from there.
   *
   * @param logits fp32 [vocab]; changed in place.
   * @param answer Tokens of the answer so far.
   */
  apply(logits: Float32Array, answer: readonly number[]): void;
  /** A token has been added to the answer. */
  observe?(tokenId: number): void;
}
