import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { decodeFp16 } from '@expertmesh/shared/expert-store/half-precision';
import { type DispatchAnswer } from '@expertmesh/shared/rpc/dispatch-message';
import { type LayerResult } from './expert-dispatcher.js';
import { type DispatchPart } from './route-plan.js';
import { type OutgoingCall } from './worker-stream.js';

/** How one part ended. A failed part is a value, which whoever decides about it can send again or count as lost. */
export type PartOutcome =
  | { readonly kind: 'answered'; readonly part: DispatchPart; readonly answer: DispatchAnswer }
  | { readonly kind: 'failed'; readonly part: DispatchPart; readonly error: ExpertmeshError };

/**
 * Whether the answer is one to this call: same layer, placement version and shape, every pair computed, every value finite.
 *
 * @returns what is wrong, as `data_loss`, with `peer` naming the worker; undefined when nothing is.
 */
export function checkAnswer(call: OutgoingCall, answer: DispatchAnswer, peer: string): ExpertmeshError | undefined {
  const wrong =
    mismatch('layer_index', call.layerIndex, answer.layerIndex) ??
    mismatch('placement_version', call.placementVersion, answer.placementVersion) ??
    mismatch('num_rows', call.numRows, answer.numRows) ??
    mismatch('hidden_size', call.hiddenSize, answer.hiddenSize) ??
    mismatch('row_dtype', call.rowDtype, answer.rowDtype) ??
    mismatch('num_pairs', call.expertIds.length, answer.numPairs) ??
    nonFinite(answer.rows, call.hiddenSize);
  if (wrong === undefined) return undefined;
  return new ExpertmeshError(
    'data_loss',
    `${peer} answered wrongly for layer ${String(call.layerIndex)}: ${wrong}; check that worker's log and memory`,
  );
}

/**
 * Adds the parts' rows up in the order given, whatever the order in which they came, so that the same parts give the same
 * bits. Rows of a failed part are in `failures`, with the first part's error where several failed.
 */
export function combineParts(
  numRows: number,
  hiddenSize: number,
  outcomes: readonly PartOutcome[],
): Omit<LayerResult, 'times'> {
  const sums = new Float32Array(numRows * hiddenSize);
  const failures = new Map<number, ExpertmeshError>();
  for (const outcome of outcomes)
    if (outcome.kind === 'answered') addRows(sums, outcome.part.rowIndices, asFp32(outcome.answer.rows), hiddenSize);
    else
      for (const rowIndex of outcome.part.rowIndices)
        if (!failures.has(rowIndex)) failures.set(rowIndex, outcome.error);
  return { sums, failures };
}

const mismatch = (field: string, sent: number | string, received: number | string): string | undefined =>
  sent === received ? undefined : `${field} is ${String(received)}, the call had ${String(sent)}`;

// Infinities and NaNs are the values whose exponent bits are all set; comparing bits is one test for both dtypes.
function nonFinite(rows: Float32Array | Uint16Array, hiddenSize: number): string | undefined {
  const isFp32 = rows instanceof Float32Array;
  const bits = isFp32 ? new Uint32Array(rows.buffer, rows.byteOffset, rows.length) : rows;
  const exponent = isFp32 ? 0x7f800000 : 0x7c00;
  for (let index = 0; index < bits.length; index++)
    if (((bits[index] ?? 0) & exponent) === exponent)
      return `element ${String(index % hiddenSize)} of row ${String(Math.floor(index / hiddenSize))} is not finite`;
  return undefined;
}

function asFp32(rows: Float32Array | Uint16Array): Float32Array {
  if (rows instanceof Float32Array) return rows;
  const values = new Float32Array(rows.length);
  decodeFp16(rows, values);
  return values;
}

function addRows(sums: Float32Array, rowIndices: Uint32Array, rows: Float32Array, hiddenSize: number): void {
  for (let partRow = 0; partRow < rowIndices.length; partRow++) {
    const target = (rowIndices[partRow] ?? 0) * hiddenSize;
    const source = partRow * hiddenSize;
    for (let column = 0; column < hiddenSize; column++)
      sums[target + column] = (sums[target + column] ?? 0) + (rows[source + column] ?? 0);
  }
}
