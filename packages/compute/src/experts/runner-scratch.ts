import { type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { fromWireRows } from '@expertmesh/shared/rpc/wire-rows';
import { PairOrder } from './pair-order.js';

/** What is kept of the arrays while nothing runs; the kernels of a decoding step need less. */
const MAX_IDLE_BYTES = 16 * 1024 * 1024;
/** Layers of one prompt come one after the other: what they need is not allocated for each. */
const IDLE_MS = 1_000;

type Rows = 'rows' | 'pairRows' | 'sums' | 'high' | 'sumUnits';

/**
 * Arrays that all layers of a worker use in turn; they grow to what the largest batch needs, and a large one is given
 * back when nothing has run for a while.
 */
export class RunnerScratch {
  order = new PairOrder();
  /** fp32 [rows of all calls, hidden] */
  rows = new Float32Array(0);
  /** fp32 [pairs of one run, hidden] */
  pairRows = new Float32Array(0);
  /** fp32 [rows of all calls, hidden] */
  sums = new Float32Array(0);
  /** The high parts of exact sums, likewise. */
  high = new Float32Array(0);
  /** fp32 [rows of all calls] */
  sumUnits = new Float32Array(0);
  #idle: NodeJS.Timeout | undefined;

  get sizeBytes(): number {
    const arrays = [this.rows, this.pairRows, this.sums, this.high, this.sumUnits];
    return arrays.reduce((sum, { byteLength }) => sum + byteLength, this.order.sizeBytes);
  }

  /** The array, or a longer one. */
  grow(name: Rows, length: number): Float32Array<ArrayBuffer> {
    if (this[name].length < length) this[name] = new Float32Array(length);
    return this[name];
  }

  /**
   * A run that uses it: nothing is given back until it has ended, and its sums stay as they are until the next turn of
   * the event loop at least.
   */
  async during<T>(run: () => Promise<T>): Promise<T> {
    clearTimeout(this.#idle);
    try {
      return await run();
    } finally {
      this.#giveBackWhenIdle();
    }
  }

  #giveBackWhenIdle(): void {
    if (this.sizeBytes <= MAX_IDLE_BYTES) return;
    this.#idle = setTimeout(() => {
      this.order = new PairOrder();
      this.rows = this.pairRows = this.sums = this.high = this.sumUnits = new Float32Array(0);
    }, IDLE_MS).unref();
  }
}

/** Writes the rows of all calls, one behind the other, as fp32. */
export function decodeRows(calls: readonly DispatchCall[], target: Float32Array): void {
  let offset = 0;
  for (const call of calls) {
    const end = offset + call.rows.length;
    fromWireRows(call, call.hiddenSize, target.subarray(offset, end));
    offset = end;
  }
}

/** Calls that are computed together agree in it. */
export function areSumsExact([first]: readonly DispatchCall[]): boolean {
  return first?.sumUnits !== undefined;
}

/** Writes the units of all calls' rows. */
export function gatherUnits(calls: readonly DispatchCall[], target: Float32Array): void {
  let row = 0;
  for (const { numRows, sumUnits } of calls) {
    if (sumUnits !== undefined) target.set(sumUnits, row);
    row += numRows;
  }
}

/** The exact sums of each call out of those of all; with its high parts behind them where there are any. */
export function splitExactByCall(
  calls: readonly DispatchCall[],
  sums: Float32Array,
  high: Float32Array | undefined,
): Float32Array[] {
  const low = splitByCall(calls, sums);
  if (high === undefined) return low;
  return splitByCall(calls, high).map((highPart, index) => joined(low[index] ?? sums, highPart));
}

function joined(low: Float32Array, high: Float32Array): Float32Array {
  const both = new Float32Array(low.length + high.length);
  both.set(low);
  both.set(high, low.length);
  return both;
}

/** The rows of each call out of those of all. */
export function splitByCall(calls: readonly DispatchCall[], sums: Float32Array): Float32Array[] {
  let offset = 0;
  return calls.map(({ rows }) => {
    const view = sums.subarray(offset, offset + rows.length);
    offset += rows.length;
    return view;
  });
}
