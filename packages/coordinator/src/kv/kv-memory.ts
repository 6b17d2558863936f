import { kvLayout, type KvGeometry, type KvLayout } from '@expertmesh/kernels/kv-layout';
import { type Kernels } from '@expertmesh/kernels/kernels';
import { KvPool } from '@expertmesh/kernels/kv-pool';
import { type KvDtype } from '@expertmesh/shared/config/kv-dtype';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { allocateSlabs } from './slabs.js';

export interface KvMemoryOptions {
  readonly spec: KvGeometry;
  readonly dtype: KvDtype;
  /** At most so much memory; what is less than a block is left over. */
  readonly budgetBytes: number;
  /** Those that will compute attention; absent where ONNX Runtime does. */
  readonly kernels?: Kernels | undefined;
}

/**
 * The memory of the KV cache: blocks of 32 tokens of all layers, keys and values together, that are allocated once and
 * never move or grow. A block is a range of bytes that means the same anywhere, so it can be shared, copied, and kept
 * on disk. Who has which block is somebody else's to know.
 */
export class KvMemory {
  readonly layout: KvLayout;
  readonly numBlocks: number;
  /** The same memory for the kernels; absent where there are none. */
  readonly pool: KvPool | undefined;
  readonly #slabs: readonly Uint8Array[];
  readonly #blocksPerSlab: number;

  /** @throws ExpertmeshError `invalid_argument` for a budget without room for a block. */
  constructor({ spec, dtype, budgetBytes, kernels }: KvMemoryOptions) {
    this.layout = kvLayout(spec, dtype);
    const { blockBytes } = this.layout;
    this.numBlocks = Math.floor(budgetBytes / blockBytes);
    if (this.numBlocks === 0)
      throw new ExpertmeshError(
        'invalid_argument',
        `--kv-cache-bytes ${String(budgetBytes)} is less than one block of 32 tokens, ` +
          `${formatBytes(blockBytes)}: give it more`,
      );
    this.#slabs = allocateSlabs(this.numBlocks, blockBytes, kernels);
    this.#blocksPerSlab = (this.#slabs[0]?.length ?? 0) / blockBytes;
    this.pool = kernels && new KvPool(kernels, this.layout, this.#slabs);
  }

  get blockBytes(): number {
    return this.layout.blockBytes;
  }

  /** The bytes of a block, where they are: they change when it is written. */
  readBlock(blockId: number): Uint8Array {
    const slab = this.#slabs[Math.floor(blockId / this.#blocksPerSlab)];
    if (!Number.isInteger(blockId) || slab === undefined || blockId >= this.numBlocks)
      throw new ExpertmeshError(
        'internal',
        `there is no KV block ${String(blockId)}, there are ${String(this.numBlocks)}`,
      );
    const start = (blockId % this.#blocksPerSlab) * this.blockBytes;
    return slab.subarray(start, start + this.blockBytes);
  }

  /** @param bytes as readBlock gave them, of a memory with the same layout. */
  writeBlock(blockId: number, bytes: Uint8Array): void {
    if (bytes.length !== this.blockBytes)
      throw new ExpertmeshError(
        'internal',
        `a KV block has ${String(this.blockBytes)} bytes, not ${String(bytes.length)}`,
      );
    this.readBlock(blockId).set(bytes);
  }

  copyBlock(fromId: number, toId: number): void {
    this.readBlock(toId).set(this.readBlock(fromId));
  }
}
