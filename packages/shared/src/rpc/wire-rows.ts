import { decodeFp16, encodeFp16 } from '../expert-store/half-precision.js';
import { type RowDtype, type WireDtype, type WireRows } from './dispatch-message.js';

/**
 * Elements of a row that share a scale with int8. A few channels of a hidden state are far larger than the others: a
 * scale for the whole row would round those away, and with 128 the fp32 scales add 3 % to the bytes.
 */
export const INT8_BLOCK = 128;

const ELEMENT_BYTES: Record<RowDtype, number> = { fp32: 4, fp16: 2, int8: 1, exact: 4 };
const INT8_MAX = 127;

/** Bytes of the elements of `numRows` rows, without scales. */
export function elementBytes(dtype: RowDtype, numRows: number, hiddenSize: number): number {
  return numRows * hiddenSize * ELEMENT_BYTES[dtype];
}

/** How many scales `numRows` rows have. */
export function numScales(dtype: RowDtype, numRows: number, hiddenSize: number): number {
  return dtype === 'int8' ? numRows * Math.ceil(hiddenSize / INT8_BLOCK) : 0;
}

/** fp32 [rows, hidden] as they travel. fp32 rows are the same array; rounding is to nearest. */
export function toWireRows(rowDtype: WireDtype, rows: Float32Array, hiddenSize: number): WireRows {
  switch (rowDtype) {
    case 'fp32':
      return { rowDtype, rows };
    case 'fp16': {
      const bits = new Uint16Array(rows.length);
      encodeFp16(rows, bits);
      return { rowDtype, rows: bits };
    }
    case 'int8':
      return quantise(rows, hiddenSize);
  }
}

/**
 * Some of the rows, in the order of `rowIndices`; the same arrays where it is all of them. Indices ascend and are
 * distinct.
 */
export function takeWireRows(wireRows: WireRows, rowIndices: Uint32Array, hiddenSize: number): WireRows {
  const { rowDtype, rows, rowScales } = wireRows;
  if (rowIndices.length * hiddenSize === rows.length) return wireRows;
  const taken = { rowDtype, rows: takeChunks(rows, rowIndices, hiddenSize) };
  if (rowScales === undefined) return taken;
  return { ...taken, rowScales: takeChunks(rowScales, rowIndices, numScales(rowDtype, 1, hiddenSize)) };
}

/** Writes rows that came as fp32 [rows, hidden] to the beginning of `target`. */
export function fromWireRows({ rows, rowScales }: WireRows<RowDtype>, hiddenSize: number, target: Float32Array): void {
  if (rows instanceof Float32Array) target.set(rows);
  else if (rows instanceof Uint16Array) decodeFp16(rows, target);
  else dequantise(rows, rowScales ?? new Float32Array(0), hiddenSize, target);
}

/** Writes one row as fp32 to `target`, [hidden]. */
export function readWireRow(
  { rowDtype, rows, rowScales }: WireRows<RowDtype>,
  rowIndex: number,
  target: Float32Array,
): void {
  const hiddenSize = target.length;
  const start = rowIndex * hiddenSize;
  const scalesStart = numScales(rowDtype, rowIndex, hiddenSize);
  const row = { rowDtype, rows: rows.subarray(start, start + hiddenSize) };
  fromWireRows(
    rowScales === undefined ? row : { ...row, rowScales: rowScales.subarray(scalesStart) },
    hiddenSize,
    target,
  );
}

function takeChunks<Values extends Float32Array | Uint16Array | Int8Array>(
  values: Values,
  indices: Uint32Array,
  chunkLength: number,
): Values {
  const taken = new (values.constructor as new (length: number) => Values)(indices.length * chunkLength);
  indices.forEach((from, to) => {
    taken.set(values.subarray(from * chunkLength, (from + 1) * chunkLength), to * chunkLength);
  });
  return taken;
}

function quantise(rows: Float32Array, hiddenSize: number): WireRows {
  const numRows = rows.length / hiddenSize;
  const quantised = new Int8Array(rows.length);
  const rowScales = new Float32Array(numScales('int8', numRows, hiddenSize));
  let block = 0;
  for (let rowEnd = hiddenSize; rowEnd <= rows.length; rowEnd += hiddenSize)
    for (let start = rowEnd - hiddenSize; start < rowEnd; start += INT8_BLOCK)
      rowScales[block++] = quantiseBlock(rows, quantised, start, Math.min(start + INT8_BLOCK, rowEnd));
  return { rowDtype: 'int8', rows: quantised, rowScales };
}

/** Returns the scale, which is not finite where one of the values is not. */
function quantiseBlock(rows: Float32Array, quantised: Int8Array, start: number, end: number): number {
  let largest = 0;
  for (let i = start; i < end; i++) largest = Math.max(largest, Math.abs(rows[i] ?? 0));
  const scale = Math.fround(largest / INT8_MAX);
  if (scale === 0 || !Number.isFinite(scale)) return scale;
  const inverse = 1 / scale;
  for (let i = start; i < end; i++) {
    const value = (rows[i] ?? 0) * inverse;
    // Storing cuts off towards zero. The scale was rounded itself: a subnormal one may be so much too small that the
    // value would wrap.
    quantised[i] = Math.max(-INT8_MAX, Math.min(INT8_MAX, value < 0 ? value - 0.5 : value + 0.5));
  }
  return scale;
}

function dequantise(quantised: Int8Array, rowScales: Float32Array, hiddenSize: number, target: Float32Array): void {
  let block = 0;
  for (let rowEnd = hiddenSize; rowEnd <= quantised.length; rowEnd += hiddenSize)
    for (let start = rowEnd - hiddenSize; start < rowEnd; start += INT8_BLOCK) {
      const scale = rowScales[block++] ?? NaN;
      const end = Math.min(start + INT8_BLOCK, rowEnd);
      for (let i = start; i < end; i++) target[i] = (quantised[i] ?? 0) * scale;
    }
}
