import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type DispatchCall } from './dispatch-message.js';
import { isSumUnit } from './sum-units.js';

export type DecodeErrorCode = 'data_loss' | 'invalid_argument';

export function refused(code: DecodeErrorCode, what: string): ExpertmeshError {
  return new ExpertmeshError(code, `a dispatch message is refused: ${what}`);
}

/** Every row has its pairs, in order, and every pair its row. */
export function checkPairs({ numRows, hiddenSize, rowOffsets, expertIds, routingWeights }: DispatchCall): void {
  if (numRows < 1 || hiddenSize < 1)
    throw refused(
      'invalid_argument',
      `num_rows (${String(numRows)}) and hidden_size (${String(hiddenSize)}) must be at least 1`,
    );
  if (rowOffsets.length !== numRows + 1)
    throw refused(
      'invalid_argument',
      `row_offsets has ${String(rowOffsets.length)} elements, ${String(numRows)} rows need ${String(numRows + 1)}`,
    );
  if (expertIds.length !== routingWeights.length)
    throw refused(
      'invalid_argument',
      `${String(expertIds.length)} expert_ids have ${String(routingWeights.length)} routing_weights; ` +
        'each pair needs both',
    );
  if (!isAscending(rowOffsets) || rowOffsets[0] !== 0 || rowOffsets[numRows] !== expertIds.length)
    throw refused('invalid_argument', `row_offsets must ascend from 0 to the ${String(expertIds.length)} pairs`);
}

/** Every row has a unit, or none has. */
export function checkUnits({ numRows, sumUnits }: DispatchCall): void {
  if (sumUnits === undefined) return;
  if (sumUnits.length !== numRows)
    throw refused(
      'invalid_argument',
      `${String(numRows)} rows have ${String(sumUnits.length)} sum_units; each needs one`,
    );
  const index = sumUnits.findIndex((unit) => !isSumUnit(unit));
  if (index < 0) return;
  throw refused(
    'invalid_argument',
    `sum_units[${String(index)}] is ${String(sumUnits[index])}, not a power of two from 2^-100 to 2^80`,
  );
}

function isAscending(offsets: Uint32Array): boolean {
  let last = 0;
  for (const offset of offsets) {
    if (offset < last) return false;
    last = offset;
  }
  return true;
}
