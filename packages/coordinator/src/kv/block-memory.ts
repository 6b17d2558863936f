/** The memory behind the blocks: what the pool's bookkeeping moves in it. */
export interface BlockMemory {
  /** Keys and values of one block in all layers. */
  readonly blockBytes: number;
  copyBlock(from: number, to: number): void;
  /** A copy of a block's bytes. */
  readBlock(blockId: number): Uint8Array;
  writeBlock(blockId: number, bytes: Uint8Array): void;
}
