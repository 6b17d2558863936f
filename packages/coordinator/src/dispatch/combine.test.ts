import { encodeFp16 } from '@expertmesh/shared/expert-store/half-precision';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type DispatchAnswer } from '@expertmesh/shared/rpc/dispatch-message';
import { describe, expect, it } from 'vitest';
import { checkAnswer, combineParts, type PartOutcome } from './combine.js';
import { type DispatchPart } from './route-plan.js';
import { type OutgoingCall } from './expert-link.js';

const call: OutgoingCall = {
  layerIndex: 3,
  placementVersion: 8,
  storeId: '0123456789abcdef',
  numRows: 2,
  hiddenSize: 2,
  rowDtype: 'fp32',
  rowOffsets: Uint32Array.of(0, 1, 3),
  expertIds: Uint32Array.of(4, 4, 6),
  routingWeights: Float32Array.of(1, 0.5, 0.5),
  rows: Float32Array.of(1, 2, 3, 4),
};

const answer: DispatchAnswer = {
  callId: 1,
  layerIndex: 3,
  placementVersion: 8,
  numRows: 2,
  hiddenSize: 2,
  rowDtype: 'fp32',
  numPairs: 3,
  error: undefined,
  queueUs: 0,
  computeUs: 0,
  numCallsTogether: 1,
  rows: Float32Array.of(5, 6, 7, 8),
};

const partOf = (...rowIndices: number[]): DispatchPart => ({
  workerIndex: 0,
  rowIndices: Uint32Array.from(rowIndices),
  rowOffsets: new Uint32Array(rowIndices.length + 1),
  expertIds: new Uint32Array(0),
  routingWeights: new Float32Array(0),
});

const answered = (rowIndices: number[], rows: Float32Array | Uint16Array): PartOutcome => ({
  kind: 'answered',
  part: partOf(...rowIndices),
  answer: { ...answer, rows },
  answeredMs: 0,
});

describe('checkAnswer', () => {
  it('accepts the answer to the call', () => {
    expect(checkAnswer(call, answer, 'worker a')).toBeUndefined();
  });

  it('wants exact sums for a call with units, from every worker', () => {
    const withUnits = { ...call, sumUnits: Float32Array.of(1, 1) };
    expect(checkAnswer(withUnits, { ...answer, rowDtype: 'exact' }, 'worker a')).toBeUndefined();
    expect(checkAnswer(withUnits, answer, 'worker a')?.message).toMatch('row_dtype is fp32, the call had exact');
  });

  it.each<[string, Partial<DispatchAnswer>]>([
    ['layer_index is 4, the call had 3', { layerIndex: 4 }],
    ['placement_version is 7, the call had 8', { placementVersion: 7 }],
    ['num_rows is 1, the call had 2', { numRows: 1, rows: Float32Array.of(5, 6) }],
    ['hidden_size is 1, the call had 2', { hiddenSize: 1, rows: Float32Array.of(5, 6) }],
    ['row_dtype is fp16, the call had fp32', { rowDtype: 'fp16', rows: new Uint16Array(4) }],
    ['row_dtype is exact, the call had fp32', { rowDtype: 'exact' }],
    ['num_pairs is 2, the call had 3', { numPairs: 2 }],
    ['element 1 of row 1 is not finite', { rows: Float32Array.of(5, 6, 7, NaN) }],
    ['element 0 of row 1 is not finite', { rows: Float32Array.of(5, 6, -Infinity, 8) }],
  ])('refuses one whose %s', (reason, wrong) => {
    expect(checkAnswer(call, { ...answer, ...wrong }, 'worker a')).toMatchObject({
      code: 'data_loss',
      message: expect.stringContaining(`worker a answered wrongly for layer 3: ${reason}`) as string,
    });
  });

  it('finds what is not finite in fp16 too, and keeps the largest finite values', () => {
    const fp16Call: OutgoingCall = { ...call, rowDtype: 'fp16' };
    const fp16Answer = (rows: Uint16Array): DispatchAnswer => ({ ...answer, rowDtype: 'fp16', rows });
    expect(checkAnswer(fp16Call, fp16Answer(Uint16Array.of(0x7bff, 0xfbff, 1, 0)), 'a')).toBeUndefined();
    expect(checkAnswer(fp16Call, fp16Answer(Uint16Array.of(0, 0, 0x7c00, 0)), 'a')?.message).toContain('row 1');
    expect(checkAnswer(fp16Call, fp16Answer(Uint16Array.of(0, 0xfe00, 0, 0)), 'a')?.message).toContain('element 1');
  });
});

it('finds int8 scales that are not finite', () => {
  const int8 = { rowDtype: 'int8', rows: new Int8Array(4) } as const;
  const int8Answer = (...scales: number[]): DispatchAnswer => ({
    ...answer,
    ...int8,
    rowScales: Float32Array.from(scales),
  });
  expect(checkAnswer({ ...call, ...int8 }, int8Answer(1, 3e38), 'a')).toBeUndefined();
  expect(checkAnswer({ ...call, ...int8 }, int8Answer(1, NaN), 'a')?.message).toContain('scale 0 of row 1');
});

describe('combineParts', () => {
  it('adds the high parts of exact sums up apart, so that grouping does not matter', () => {
    const exact = (rows: number[]): PartOutcome => ({
      kind: 'answered',
      part: partOf(0),
      answer: { ...answer, numRows: 1, rowDtype: 'exact', rows: Float32Array.from(rows) },
      answeredMs: 0,
    });
    const parts = [exact([2 ** -20, 1, 2 ** 20, 0]), exact([2 ** -20, 2]), exact([0, 4, -(2 ** 20), 0])];
    const expected = Float32Array.of(2 ** -19, 7);
    expect(combineParts(1, 2, parts).sums).toEqual(expected);
    expect(combineParts(1, 2, parts.reverse()).sums).toEqual(expected);
  });

  it('adds the parts of a row, and leaves rows without parts at zero', () => {
    const result = combineParts(3, 2, [
      answered([0, 2], Float32Array.of(1, 2, 3, 4)),
      answered([2], Float32Array.of(10, 20)),
    ]);
    expect([...result.sums]).toEqual([1, 2, 0, 0, 13, 24]);
    expect(result.failures.size).toBe(0);
  });

  it('adds fp16 parts in fp32', () => {
    const bits = new Uint16Array(2);
    encodeFp16(Float32Array.of(2048, 0.5), bits);
    const result = combineParts(1, 2, [answered([0], bits), answered([0], Float32Array.of(1, 1))]);
    expect([...result.sums]).toEqual([2049, 1.5]);
  });

  it('fails the rows of a failed part, each with the first error, and no others', () => {
    const first = new ExpertmeshError('unavailable', 'first');
    const second = new ExpertmeshError('data_loss', 'second');
    const result = combineParts(4, 1, [
      answered([0, 1, 2, 3], Float32Array.of(1, 1, 1, 1)),
      { kind: 'failed', part: partOf(1, 2), error: first },
      { kind: 'failed', part: partOf(2, 3), error: second },
    ]);
    expect([...result.failures]).toEqual([
      [1, first],
      [2, first],
      [3, second],
    ]);
    expect(result.sums[0]).toBe(1);
  });
});
