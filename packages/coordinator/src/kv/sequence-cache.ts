/** Keys and values of one sequence, wherever the dense runner that made it keeps them. */
export interface SequenceCache {
  /** Tokens stored in every layer. */
  readonly length: number;
  /** Makes room for `numTokens` more tokens in every layer. */
  reserve(numTokens: number): void;
  /** Makes tokens count that every layer has stored. */
  advance(numTokens: number): void;
  /** Forgets all tokens behind the first `length`: drafted tokens that were refused. */
  truncate(length: number): void;
  /** Frees the memory. Once, when no step is under way that uses it. */
  release(): void;
}
