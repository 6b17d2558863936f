/** Which tokens a sequence has, for the penalties: in its prompt (whether) and in its answer (how often). */
export class TokenCounts {
  readonly #prompt: ReadonlySet<number>;
  readonly #answer = new Map<number, number>();

  constructor(promptTokenIds: readonly number[]) {
    this.#prompt = new Set(promptTokenIds);
  }

  add(tokenId: number): void {
    this.#answer.set(tokenId, (this.#answer.get(tokenId) ?? 0) + 1);
  }

  /** Distinct tokens of the answer and how often each occurs. */
  get answer(): ReadonlyMap<number, number> {
    return this.#answer;
  }

  /** Every distinct token of prompt and answer, once. */
  *all(): Iterable<number> {
    yield* this.#prompt;
    for (const tokenId of this.#answer.keys()) if (!this.#prompt.has(tokenId)) yield tokenId;
  }
}
