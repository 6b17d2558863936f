import { type SequenceRows } from './dense-runner.js';
import { type RotaryTable } from './rotary-table.js';

/** Cosine and sine of each row's position, fp32 [rows, head_dim / 2]. */
export interface RotaryRows {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

export function rotaryRows(table: RotaryTable, sequences: readonly SequenceRows[]): RotaryRows {
  const numRows = totalRows(sequences);
  const rotary = { cos: new Float32Array(numRows * table.halfDim), sin: new Float32Array(numRows * table.halfDim) };
  let rowIndex = 0;
  for (const sequence of sequences) {
    table.fill(sequence.cache.length, sequence.numRows, rotary.cos, rotary.sin, rowIndex);
    rowIndex += sequence.numRows;
  }
  return rotary;
}

export function totalRows(sequences: readonly SequenceRows[]): number {
  return sequences.reduce((sum, { numRows }) => sum + numRows, 0);
}
