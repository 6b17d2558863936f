import { type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { fromWireRows } from '@expertmesh/shared/rpc/wire-rows';
import { PairOrder } from './pair-order.js';

/** Arrays that all layers of a worker use in turn; they grow to what the largest batch needs. */
export class RunnerScratch {
  readonly order = new PairOrder();
  /** fp32 [rows of all calls, hidden] */
  rows = new Float32Array(0);
  /** fp32 [pairs of one run, hidden] */
  pairRows = new Float32Array(0);
  /** fp32 [rows of all calls, hidden] */
  sums = new Float32Array(0);
}

/** The array, or a longer one. */
export function grown(array: Float32Array<ArrayBuffer>, length: number): Float32Array<ArrayBuffer> {
  return array.length >= length ? array : new Float32Array(length);
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

/** The rows of each call out of those of all. */
export function splitByCall(calls: readonly DispatchCall[], sums: Float32Array): Float32Array[] {
  let offset = 0;
  return calls.map(({ rows }) => {
    const view = sums.subarray(offset, offset + rows.length);
    offset += rows.length;
    return view;
  });
}
