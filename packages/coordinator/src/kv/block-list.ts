const NONE = -1;

/** Block ids in an order, each at most once; every operation takes constant time and allocates nothing. */
export class BlockList {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #isIn: Uint8Array;
  #first = NONE;
  #last = NONE;
  #size = 0;

  constructor(numBlocks: number) {
    this.#next = new Int32Array(numBlocks).fill(NONE);
    this.#previous = new Int32Array(numBlocks).fill(NONE);
    this.#isIn = new Uint8Array(numBlocks);
  }

  get size(): number {
    return this.#size;
  }

  get first(): number | undefined {
    return this.#first === NONE ? undefined : this.#first;
  }

  has(blockId: number): boolean {
    return this.#isIn[blockId] === 1;
  }

  /** Puts a block that is not in the list at its end. */
  push(blockId: number): void {
    this.#isIn[blockId] = 1;
    this.#next[blockId] = NONE;
    this.#previous[blockId] = this.#last;
    if (this.#last === NONE) this.#first = blockId;
    else this.#next[this.#last] = blockId;
    this.#last = blockId;
    this.#size += 1;
  }

  remove(blockId: number): void {
    if (!this.has(blockId)) return;
    const next = this.#next[blockId] ?? NONE;
    const previous = this.#previous[blockId] ?? NONE;
    if (previous === NONE) this.#first = next;
    else this.#next[previous] = next;
    if (next === NONE) this.#last = previous;
    else this.#previous[next] = previous;
    this.#isIn[blockId] = 0;
    this.#size -= 1;
  }

  /** From the last to the first. */
  *backwards(): Iterable<number> {
    for (let blockId = this.#last; blockId !== NONE; blockId = this.#previous[blockId] ?? NONE) yield blockId;
  }
}
