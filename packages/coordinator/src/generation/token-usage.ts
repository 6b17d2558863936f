/** Of all answers of a request, so far. */
export interface TokenUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Those of the completion that were thinking; absent where thinking is not told apart. */
  readonly reasoningTokens?: number | undefined;
  /** Those of the prompt that were computed before this request; absent where the engine does not tell. */
  readonly cachedTokens?: number | undefined;
}
