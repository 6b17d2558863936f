/** How far an answer has come in what it must look like. */
export interface ConstraintState {
  /**
   * Tokens that may come next: a bit per token id, bit `id % 32` of word `id / 32`. Tokens beyond its end are
   * forbidden. Those that end the answer are in it where the answer may end.
   */
  mask(): Uint32Array;
  /** Goes on by a token of the mask. */
  accept(tokenId: number): void;
  clone(): ConstraintState;
  /** The answer may end here. */
  readonly isComplete: boolean;
  /** Nothing may follow but the end. */
  readonly isFinished: boolean;
  /** Bytes that are certain to come next; empty where there is more than one way. */
  forcedBytes(): Uint8Array;
}
