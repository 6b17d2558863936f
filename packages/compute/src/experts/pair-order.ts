import { type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';

/**
 * The (row, expert) pairs of some calls, sorted by the expert's position in the shard, and within an expert by call and
 * row. Rows are numbered through all calls. Its arrays grow and are used again: their contents hold until the next
 * `sort`.
 */
export class PairOrder {
  numPairs = 0;
  /** [>= numPairs] the row of each pair. */
  rowIndices = new Int32Array(0);
  /** [>= numPairs] the routing weight of each pair. */
  weights = new Float32Array(0);
  /** [numLocalExperts + 1] the pairs of expert e are starts[e] .. starts[e + 1] - 1. */
  starts = new Int32Array(0);
  #next = new Int32Array(0);

  get sizeBytes(): number {
    return this.rowIndices.byteLength + this.weights.byteLength;
  }

  /** A counting sort. The experts of all calls must be held here: localIndices[expertId] in [0, numLocalExperts). */
  sort(calls: readonly DispatchCall[], localIndices: Int32Array, numLocalExperts: number): void {
    this.#countPairs(calls, localIndices, numLocalExperts);
    let firstRow = 0;
    for (const call of calls) {
      this.#placePairs(call, firstRow, localIndices);
      firstRow += call.numRows;
    }
  }

  #countPairs(calls: readonly DispatchCall[], localIndices: Int32Array, numLocalExperts: number): void {
    if (this.starts.length !== numLocalExperts + 1) this.starts = new Int32Array(numLocalExperts + 1);
    const starts = this.starts.fill(0);
    for (const { expertIds } of calls) {
      for (const expertId of expertIds) {
        const next = (localIndices[expertId] ?? 0) + 1;
        starts[next] = (starts[next] ?? 0) + 1;
      }
    }
    for (let index = 1; index <= numLocalExperts; index += 1)
      starts[index] = (starts[index] ?? 0) + (starts[index - 1] ?? 0);
    this.numPairs = starts[numLocalExperts] ?? 0;
    if (this.rowIndices.length < this.numPairs) {
      this.rowIndices = new Int32Array(2 * this.numPairs);
      this.weights = new Float32Array(2 * this.numPairs);
    }
    if (this.#next.length !== starts.length) this.#next = new Int32Array(starts.length);
    this.#next.set(starts);
  }

  #placePairs(call: DispatchCall, firstRow: number, localIndices: Int32Array): void {
    for (let rowIndex = 0; rowIndex < call.numRows; rowIndex += 1) {
      const end = call.rowOffsets[rowIndex + 1] ?? 0;
      for (let pairIndex = call.rowOffsets[rowIndex] ?? 0; pairIndex < end; pairIndex += 1) {
        const localIndex = localIndices[call.expertIds[pairIndex] ?? 0] ?? 0;
        const position = this.#next[localIndex] ?? 0;
        this.#next[localIndex] = position + 1;
        this.rowIndices[position] = firstRow + rowIndex;
        this.weights[position] = call.routingWeights[pairIndex] ?? 0;
      }
    }
  }
}
