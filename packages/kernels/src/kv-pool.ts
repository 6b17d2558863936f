import { type KvLayout } from './kv-layout.js';
import { type Kernels } from './kernels.js';
import { guarded, type NativeHandle } from './native-binding.js';

/**
 * The memory of a KV cache, as the kernels see it. It keeps the slabs alive; their buffers must not be transferred or
 * resized.
 */
export class KvPool {
  readonly handle: NativeHandle<'kvPool'>;

  /**
   * @param slabs each a whole number of blocks, all alike but for a smaller last one. Blocks are numbered through all
   * of them.
   * @throws ExpertmeshError `invalid_argument` for other slabs, and for sizes that no model has.
   */
  constructor(kernels: Kernels, layout: KvLayout, slabs: readonly Uint8Array[]) {
    this.handle = guarded(() => kernels.binding.createKvPool(layout, slabs));
  }
}

/** One sequence's rows, and its blocks. */
export interface SequenceRows {
  readonly numRows: number;
  /**
   * In the order of their tokens: enough for the stored tokens and the rows. The blocks that rows are written to are no
   * other sequence's.
   */
  readonly blockIds: Int32Array;
  /** Tokens that are stored already; the rows come behind them. */
  readonly length: number;
}

/** As the addon takes them. */
export function flatSequences(sequences: readonly SequenceRows[]): (number | Int32Array)[] {
  const flat: (number | Int32Array)[] = [];
  for (const { numRows, blockIds, length } of sequences) flat.push(numRows, blockIds, length);
  return flat;
}
