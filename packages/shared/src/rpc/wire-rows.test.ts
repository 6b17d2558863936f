import { describe, expect, it } from 'vitest';
import { fromWireRows, INT8_BLOCK, numScales, toWireRows } from './wire-rows.js';
import { type WIRE_DTYPES } from './dispatch-message.js';

const HIDDEN_SIZE = 2 * INT8_BLOCK + 5;
const NUM_ROWS = 3;

/** Values of very different sizes, one of each row far larger than the others. */
const rows = Float32Array.from({ length: NUM_ROWS * HIDDEN_SIZE }, (_, index) =>
  index % HIDDEN_SIZE === 7 ? 300 : Math.sin(index * 12.9898) * 10 ** (index % 4),
);

function travelled(dtype: (typeof WIRE_DTYPES)[number], values: Float32Array, hiddenSize: number): Float32Array {
  const target = new Float32Array(values.length);
  fromWireRows(toWireRows(dtype, values, hiddenSize), hiddenSize, target);
  return target;
}

describe('wire rows', () => {
  it.each([
    ['fp32', 0],
    ['fp16', 2 ** -11],
  ] as const)('keep values as %s to a relative error of %f', (dtype, maxError) => {
    for (const [index, value] of travelled(dtype, rows, HIDDEN_SIZE).entries())
      expect(Math.abs(value - (rows[index] ?? 0))).toBeLessThanOrEqual(maxError * Math.abs(rows[index] ?? 0) + 1e-7);
  });

  it('round int8 to half a step of the largest value in the block of 128', () => {
    const result = travelled('int8', rows, HIDDEN_SIZE);
    for (let row = 0; row < NUM_ROWS; row++)
      for (let start = 0; start < HIDDEN_SIZE; start += INT8_BLOCK) {
        const from = row * HIDDEN_SIZE + start;
        const to = row * HIDDEN_SIZE + Math.min(start + INT8_BLOCK, HIDDEN_SIZE);
        const step = rows.subarray(from, to).reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) / 127;
        for (let i = from; i < to; i++)
          expect(Math.abs((result[i] ?? NaN) - (rows[i] ?? 0))).toBeLessThanOrEqual(step * 0.5001);
      }
  });

  it('keep the largest values of a block, and zeros', () => {
    expect([...travelled('int8', Float32Array.of(-127, 127, 0, 1), 4)]).toEqual([-127, 127, 0, 1]);
    expect([...travelled('int8', new Float32Array(4), 4)]).toEqual([0, 0, 0, 0]);
  });

  it.each([1e-45, 3e-44, 1e-38, 3.4e38])('keep the sign and size of %f as int8', (value) => {
    const [positive = NaN, negative = NaN] = travelled('int8', Float32Array.of(value, -value), 2);
    expect(positive + negative).toBe(0);
    expect(Math.abs(positive - Math.fround(value))).toBeLessThanOrEqual(Math.max(value / 127, 1e-43));
  });

  it.each([NaN, Infinity, -Infinity])('show in the scale that a block has %f', (value) => {
    const wild = new Float32Array(2 * INT8_BLOCK);
    wild[3] = value;
    wild[5] = 1;
    const { rowScales = new Float32Array(0) } = toWireRows('int8', wild, 2 * INT8_BLOCK);
    expect([...rowScales].map(Number.isFinite)).toEqual([false, true]);
    expect([...travelled('int8', wild, 2 * INT8_BLOCK).subarray(0, INT8_BLOCK)].some(Number.isFinite)).toBe(false);
  });

  it('has a scale for the rest of a row that is no whole block', () => {
    expect(numScales('int8', NUM_ROWS, HIDDEN_SIZE)).toBe(NUM_ROWS * 3);
    expect(numScales('fp16', NUM_ROWS, HIDDEN_SIZE)).toBe(0);
  });
});
