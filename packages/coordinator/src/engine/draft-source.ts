/** What may be known of a sequence to draft for it. */
export interface DraftableSequence {
  /** Prompt and answer so far. */
  readonly tokenIds: readonly number[];
  /** Tokens that the answer may still get. */
  readonly numTokensLeft: number;
}

/** Proposes tokens that may come next; the engine verifies them, so they change how fast tokens come and not which. */
export interface DraftSource {
  /**
   * @param decoding the sequences that are drafted for, in order
   * @param numRows rows of the step that are there anyway
   * @param maxTokens most drafted tokens, for all sequences together
   * @param stepMs how long a step of so many rows is expected to take
   */
  draft<S extends DraftableSequence>(
    decoding: readonly S[],
    numRows: number,
    maxTokens: number,
    stepMs: (numRows: number) => number,
  ): ReadonlyMap<S, readonly number[]>;
  /** What became of a sequence's step: its draft may be shorter than proposed, or come from elsewhere. */
  observe(sequence: DraftableSequence, draft: readonly number[], numAccepted: number): void;
}
