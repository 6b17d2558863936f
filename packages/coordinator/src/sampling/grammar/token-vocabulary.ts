/** What constrained decoding needs to know of a model's tokens. The same object stands for the same vocabulary. */
export interface TokenVocabulary {
  /** Logits of the model: ids at and above the tokenizer's are padding. */
  readonly vocabSize: number;
  /** The bytes of every token, as TokenBytes gives them; no bytes for padding. */
  readonly tokenBytes: { get(tokenId: number): Uint8Array };
  /** Never part of an answer. `<tool_call>` and the like are not among them: answers contain them. */
  readonly specialTokenIds: ReadonlySet<number>;
  /** Tokens that end an answer, of which any may be taken where it is complete. */
  readonly endTokenIds: readonly number[];
}
