/**
 * What a step may know of a sequence's KV cache: the tokens that count, and the blocks of the pool that they are in.
 * The rows of a step are written behind the first `length` tokens, so there are blocks for those as well; the blocks
 * that they are written to belong to this sequence alone, while full ones before may be shared. Neither changes while a
 * step is under way.
 *
 * Every layer keeps every token in these blocks. A second kind of state (a window that slides, a recurrent one) is a
 * member of its own beside `blockIds`, which a layer that needs it reads instead.
 */
export interface CacheView {
  /** Tokens stored in every layer. */
  readonly length: number;
  /** Ids of blocks of 32 tokens, in the order of their tokens. */
  readonly blockIds: Int32Array;
}
