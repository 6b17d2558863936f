import { type ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type DispatchAnswer } from '@expertmesh/shared/rpc/dispatch-message';
import { firstNonFinite } from '@expertmesh/shared/rpc/non-finite';
import { readWireRow } from '@expertmesh/shared/rpc/wire-rows';
import { type LayerResult } from './expert-dispatcher.js';
import { type DispatchPart } from './route-plan.js';
import { type OutgoingCall } from './expert-link.js';
import { WrongAnswerError } from './wrong-answer-error.js';

/** How one part ended. A failed part is a value, which whoever decides about it can send again or count as lost. */
export type PartOutcome =
  | {
      readonly kind: 'answered';
      readonly part: DispatchPart;
      readonly answer: DispatchAnswer;
      readonly answeredMs: number;
    }
  | { readonly kind: 'failed'; readonly part: DispatchPart; readonly error: ExpertmeshError };

/**
 * Whether the answer is one to this call: same layer, placement version and shape, every pair computed, every value
 * finite.
 *
 * @returns what is wrong, with `peer` naming the worker; undefined when nothing is.
 */
export function checkAnswer(call: OutgoingCall, answer: DispatchAnswer, peer: string): WrongAnswerError | undefined {
  const mismatched =
    mismatch('layer_index', call.layerIndex, answer.layerIndex) ??
    mismatch('placement_version', call.placementVersion, answer.placementVersion) ??
    mismatch('num_rows', call.numRows, answer.numRows) ??
    mismatch('hidden_size', call.hiddenSize, answer.hiddenSize) ??
    mismatch('row_dtype', call.sumUnits === undefined ? call.rowDtype : 'exact', answer.rowDtype) ??
    mismatch('num_pairs', call.expertIds.length, answer.numPairs);
  const wrong = mismatched ?? firstNonFinite(answer, answer.hiddenSize)?.what;
  if (wrong === undefined) return undefined;
  return new WrongAnswerError(
    mismatched === undefined ? 'not_finite' : 'mismatch',
    `${peer} answered wrongly for layer ${String(call.layerIndex)}: ${wrong}; check that worker's log and memory`,
  );
}

/**
 * Adds the parts' rows up in the order given, whatever the order in which they came, so that the same parts give the
 * same bits; exact sums give them also in other parts. Rows of a failed part are in `failures`, with the first part's
 * error where several failed.
 */
export function combineParts(
  numRows: number,
  hiddenSize: number,
  outcomes: readonly PartOutcome[],
): Omit<LayerResult, 'times'> {
  const sums = new Float32Array(numRows * hiddenSize);
  const row = new Float32Array(hiddenSize);
  const highParts = new HighParts(hiddenSize);
  const failures = new Map<number, ExpertmeshError>();
  for (const outcome of outcomes)
    if (outcome.kind === 'answered')
      outcome.part.rowIndices.forEach((rowIndex, partRow) => {
        readWireRow(outcome.answer, partRow, row);
        addTo(sums, rowIndex * hiddenSize, row);
        highParts.add(outcome.answer, partRow, rowIndex);
      });
    else
      for (const rowIndex of outcome.part.rowIndices)
        if (!failures.has(rowIndex)) failures.set(rowIndex, outcome.error);
  highParts.addTo(sums);
  return { sums, failures };
}

/** What was too large for the units of exact sums: added up apart, and to the sums only when all of it is there. */
class HighParts {
  readonly #hiddenSize: number;
  readonly #byRow = new Map<number, Float32Array>();

  constructor(hiddenSize: number) {
    this.#hiddenSize = hiddenSize;
  }

  add({ rowDtype, rows, numRows }: DispatchAnswer, partRow: number, rowIndex: number): void {
    const start = (numRows + partRow) * this.#hiddenSize;
    if (rowDtype !== 'exact' || !(rows instanceof Float32Array) || rows.length <= start) return;
    let high = this.#byRow.get(rowIndex);
    if (high === undefined) this.#byRow.set(rowIndex, (high = new Float32Array(this.#hiddenSize)));
    addTo(high, 0, rows.subarray(start, start + this.#hiddenSize));
  }

  addTo(sums: Float32Array): void {
    for (const [rowIndex, high] of this.#byRow) addTo(sums, rowIndex * this.#hiddenSize, high);
  }
}

const mismatch = (field: string, sent: number | string, received: number | string): string | undefined =>
  sent === received ? undefined : `${field} is ${String(received)}, the call had ${String(sent)}`;

function addTo(sums: Float32Array, start: number, row: Float32Array): void {
  for (let column = 0; column < row.length; column++) {
    const index = start + column;
    sums[index] = (sums[index] ?? 0) + (row[column] ?? 0);
  }
}
