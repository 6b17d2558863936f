import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { BlockList } from './block-list.js';
import { type PrefixHash } from './prefix-chain.js';

/** A block whose content is about to be overwritten. */
export interface DroppedBlock {
  readonly blockId: number;
  readonly prefix: PrefixHash;
  /** Blocks of the longest sequence that had it. */
  readonly chainLength: number;
}

/**
 * Who has which block. A block is referenced by one or several sequences, or it is free. A block whose content is a
 * known prefix is found by that prefix; when nobody references it, it stays until its place is needed, and the least
 * recently used one goes first.
 */
export class BlockPool {
  readonly numBlocks: number;
  readonly #onDrop: ((dropped: DroppedBlock) => void) | undefined;
  readonly #references: Int32Array;
  /** A stack of blocks without content. */
  readonly #free: Int32Array;
  #numFree: number;
  /** Unreferenced blocks with known content, least recently used first. */
  readonly #unused: BlockList;
  readonly #byPrefix = new Map<PrefixHash, number>();
  readonly #prefixes: (PrefixHash | undefined)[];
  readonly #chainLengths: Int32Array;

  /** @param onDrop is told of a block with known content before it is given away; it may read the block. */
  constructor(numBlocks: number, onDrop?: (dropped: DroppedBlock) => void) {
    this.numBlocks = numBlocks;
    this.#onDrop = onDrop;
    this.#references = new Int32Array(numBlocks);
    this.#free = Int32Array.from({ length: numBlocks }, (_, index) => numBlocks - 1 - index);
    this.#numFree = numBlocks;
    this.#unused = new BlockList(numBlocks);
    this.#prefixes = Array.from({ length: numBlocks }, () => undefined);
    this.#chainLengths = new Int32Array(numBlocks);
  }

  /** Blocks that nobody references. */
  get numAvailable(): number {
    return this.#numFree + this.#unused.size;
  }

  get numReferenced(): number {
    return this.numBlocks - this.numAvailable;
  }

  /** Unreferenced blocks whose content is kept as long as nobody needs their place. */
  get numCached(): number {
    return this.#unused.size;
  }

  numReferences(blockId: number): number {
    return this.#references[blockId] ?? 0;
  }

  /** A block with one reference and no content, or undefined when all are referenced. */
  allocate(): number | undefined {
    const blockId = this.#numFree > 0 ? this.#free[--this.#numFree] : this.#dropLeastRecentlyUsed();
    if (blockId !== undefined) this.#references[blockId] = 1;
    return blockId;
  }

  /** One more reference to a block that is referenced, or whose content is known. */
  retain(blockId: number): void {
    if (this.numReferences(blockId) === 0 && !this.#unused.has(blockId))
      throw new ExpertmeshError('internal', `block ${String(blockId)} has no content that could be shared`);
    this.#unused.remove(blockId);
    this.#references[blockId] = this.numReferences(blockId) + 1;
  }

  release(blockId: number): void {
    const left = this.numReferences(blockId) - 1;
    if (left < 0) throw new ExpertmeshError('internal', `block ${String(blockId)} is released twice`);
    this.#references[blockId] = left;
    if (left > 0) return;
    if (this.#prefixes[blockId] === undefined) this.#free[this.#numFree++] = blockId;
    else this.#unused.push(blockId);
  }

  /** The content of a full block is known from now on; where another block has the same content, it stays unknown. */
  publish(blockId: number, prefix: PrefixHash): void {
    if (this.#prefixes[blockId] !== undefined || this.#byPrefix.has(prefix)) return;
    this.#prefixes[blockId] = prefix;
    this.#byPrefix.set(prefix, blockId);
    this.#chainLengths[blockId] = 1;
  }

  find(prefix: PrefixHash): number | undefined {
    return this.#byPrefix.get(prefix);
  }

  /** A sequence of so many full blocks had this one. */
  noteChainLength(blockId: number, numBlocks: number): void {
    this.#chainLengths[blockId] = Math.max(this.#chainLengths[blockId] ?? 0, numBlocks);
  }

  /** All blocks with known content that nobody references, most recently used first. */
  *unreferenced(): Iterable<DroppedBlock> {
    for (const blockId of this.#unused.backwards()) {
      const prefix = this.#prefixes[blockId];
      if (prefix !== undefined) yield { blockId, prefix, chainLength: this.#chainLengths[blockId] ?? 0 };
    }
  }

  #dropLeastRecentlyUsed(): number | undefined {
    const blockId = this.#unused.first;
    if (blockId === undefined) return undefined;
    const prefix = this.#prefixes[blockId];
    if (prefix !== undefined) {
      this.#onDrop?.({ blockId, prefix, chainLength: this.#chainLengths[blockId] ?? 0 });
      this.#byPrefix.delete(prefix);
      this.#prefixes[blockId] = undefined;
    }
    this.#unused.remove(blockId);
    return blockId;
  }
}
