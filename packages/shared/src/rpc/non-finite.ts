import { type RowDtype, type WireRows } from './dispatch-message.js';
import { INT8_BLOCK } from './wire-rows.js';

export interface NonFiniteValue {
  /** Also behind the last row, for the high parts of exact sums. */
  readonly rowIndex: number;
  /** A sentence that names the element, or the scale, and the row. */
  readonly what: string;
}

/**
 * The first infinity or NaN of rows as they travel, from a row on. int8 has no integer that is not finite, so there it
 * is the scale that tells.
 */
export function firstNonFinite(
  { rows, rowScales }: WireRows<RowDtype>,
  hiddenSize: number,
  fromRow = 0,
): NonFiniteValue | undefined {
  if (rowScales === undefined) return firstIn('element', rows, hiddenSize, fromRow);
  return firstIn('scale', rowScales, Math.ceil(hiddenSize / INT8_BLOCK), fromRow);
}

// Infinities and NaNs are the values whose exponent bits are all set; comparing bits is one test for both dtypes.
function firstIn(
  what: string,
  values: WireRows['rows'],
  valuesPerRow: number,
  fromRow: number,
): NonFiniteValue | undefined {
  const isFp32 = values instanceof Float32Array;
  const bits = isFp32 ? new Uint32Array(values.buffer, values.byteOffset, values.length) : values;
  const exponent = isFp32 ? 0x7f800000 : 0x7c00;
  for (let index = fromRow * valuesPerRow; index < bits.length; index++)
    if (((bits[index] ?? 0) & exponent) === exponent) {
      const rowIndex = Math.floor(index / valuesPerRow);
      return { rowIndex, what: `${what} ${String(index % valuesPerRow)} of row ${String(rowIndex)} is not finite` };
    }
  return undefined;
}
