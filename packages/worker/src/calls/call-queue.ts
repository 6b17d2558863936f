/** What the queue needs to know of a call. */
export interface QueuedCall {
  /** Calls with the same key can be computed together: the loaded layer that they need. */
  readonly batchKey: object;
  /** What it adds to the size of a batch: its pairs, or its rows where it has more of those. */
  readonly batchRows: number;
  /** Memory that it holds while it waits. */
  readonly sizeBytes: number;
}

export interface QueueBounds {
  readonly maxCalls: number;
  readonly maxBytes: number;
}

/**
 * First in, first out, except that the calls which can be computed together with the oldest one overtake the others: no
 * call waits longer for it than the computation of a batch takes, and the oldest is always in the next batch.
 */
export class CallQueue<Call extends QueuedCall> {
  readonly #bounds: QueueBounds;
  #calls: Call[] = [];
  #sizeBytes = 0;

  constructor(bounds: QueueBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#calls.length;
  }

  /** Whether the call was taken; false when the queue is full. One call is always taken, whatever its size. */
  push(call: Call): boolean {
    const { maxCalls, maxBytes } = this.#bounds;
    const isFull = this.#calls.length >= maxCalls || this.#sizeBytes + call.sizeBytes > maxBytes;
    if (isFull && this.#calls.length > 0) return false;
    this.#calls.push(call);
    this.#sizeBytes += call.sizeBytes;
    return true;
  }

  /**
   * Removes and returns the oldest call and, in their order, all others of its key while they have at most `maxRows`
   * together. The oldest comes alone when it has more than that. Empty when nothing waits.
   */
  takeBatch(maxRows: number): Call[] {
    const oldest = this.#calls[0];
    if (oldest === undefined) return [];
    let numRows = 0;
    let isFull = false;
    return this.takeWhere((call) => {
      if (isFull || call.batchKey !== oldest.batchKey) return false;
      isFull = call !== oldest && numRows + call.batchRows > maxRows;
      if (!isFull) numRows += call.batchRows;
      return !isFull;
    });
  }

  /** Removes and returns, in their order, the calls that `isWanted` chooses. */
  takeWhere(isWanted: (call: Call) => boolean): Call[] {
    const taken: Call[] = [];
    this.#calls = this.#calls.filter((call) => {
      const wanted = isWanted(call);
      if (wanted) {
        taken.push(call);
        this.#sizeBytes -= call.sizeBytes;
      }
      return !wanted;
    });
    return taken;
  }
}
