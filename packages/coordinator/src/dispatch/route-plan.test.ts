import { contiguousPlacement, type Placement } from '@expertmesh/shared/placement/placement';
import { describe, expect, it } from 'vitest';
import { type LayerCall } from './expert-dispatcher.js';
import { ReplicaRouter } from './replica-router.js';
import { type DispatchPart, maxRowsPerMessage, pairsOfPart } from './route-plan.js';

const NO_SPLIT = 1_000_000;

const planDispatch = (call: LayerCall, placement: Placement, maxRowsPerPart: number): DispatchPart[] =>
  new ReplicaRouter(placement).plan(call, maxRowsPerPart);

/** A layer call whose routing weights tell row and expert: row + expert / 1000. */
function callOf(expertsOfRows: readonly (readonly number[])[], layerIndex = 0): LayerCall {
  const topK = expertsOfRows[0]?.length ?? 0;
  return {
    layerIndex,
    numRows: expertsOfRows.length,
    topK,
    rows: new Float32Array(expertsOfRows.length),
    expertIds: Int32Array.from(expertsOfRows.flat()),
    routingWeights: Float32Array.from(expertsOfRows.flatMap((experts, row) => experts.map((id) => row + id / 1000))),
  };
}

const plain = (part: DispatchPart) => ({
  workerIndex: part.workerIndex,
  rowIndices: [...part.rowIndices],
  rowOffsets: [...part.rowOffsets],
  expertIds: [...part.expertIds],
});

/** Every pair of the parts as "row:expert", checked against the weights that came along. */
function pairsOf(parts: readonly DispatchPart[]): string[] {
  return parts.flatMap((part) =>
    [...part.rowIndices].flatMap((row, partRow) =>
      [...part.expertIds.keys()].slice(part.rowOffsets[partRow], part.rowOffsets[partRow + 1]).map((pair) => {
        const expertId = part.expertIds[pair] ?? -1;
        expect(part.routingWeights[pair]).toBe(Math.fround(row + expertId / 1000));
        return `${String(row)}:${String(expertId)}`;
      }),
    ),
  );
}

describe('groupPairs', () => {
  it('sends each worker its pairs in compressed-row form, every row once', () => {
    const placement = contiguousPlacement(1, [0], 6, ['a', 'b', 'c']);
    const parts = planDispatch(
      callOf([
        [5, 0, 1],
        [2, 3, 0],
        [4, 5, 1],
      ]),
      placement,
      NO_SPLIT,
    );
    expect(parts.map(plain)).toEqual([
      { workerIndex: 0, rowIndices: [0, 1, 2], rowOffsets: [0, 2, 3, 4], expertIds: [0, 1, 0, 1] },
      { workerIndex: 1, rowIndices: [1], rowOffsets: [0, 2], expertIds: [2, 3] },
      { workerIndex: 2, rowIndices: [0, 2], rowOffsets: [0, 1, 3], expertIds: [5, 4, 5] },
    ]);
  });

  it('covers every pair exactly once for any number of workers', () => {
    const experts = Array.from({ length: 40 }, (_, row) => [row % 16, (row * 7 + 3) % 16, (row * 5 + 9) % 16]);
    const distinct = experts.filter((ids) => new Set(ids).size === ids.length);
    const expected = distinct.flatMap((ids, row) => ids.map((id) => `${String(row)}:${String(id)}`)).sort();
    for (let numWorkers = 1; numWorkers <= 16; numWorkers++) {
      const workerIds = Array.from({ length: numWorkers }, (_, index) => `w${String(index)}`);
      const parts = planDispatch(callOf(distinct), contiguousPlacement(1, [0], 16, workerIds), 7);
      expect(pairsOf(parts).sort()).toEqual(expected);
      expect(parts.map((part) => part.workerIndex)).toEqual(
        parts.map((part) => part.workerIndex).sort((a, b) => a - b),
      );
    }
  });

  it('splits a worker into several parts that have at most the given rows', () => {
    const placement = contiguousPlacement(1, [0], 2, ['a']);
    const parts = planDispatch(callOf([[0], [1], [0], [1], [0]]), placement, 2);
    expect(parts.map((part) => [...part.rowIndices])).toEqual([[0, 1], [2, 3], [4]]);
  });

  it('tells which pairs of the call a part has', () => {
    const call = callOf([
      [5, 0, 1],
      [2, 3, 0],
      [4, 5, 1],
    ]);
    const parts = planDispatch(call, contiguousPlacement(1, [0], 6, ['a', 'b', 'c']), NO_SPLIT);
    expect(parts.map((part) => pairsOfPart(call, part))).toEqual([
      [1, 2, 5, 8],
      [3, 4],
      [0, 6, 7],
    ]);
  });
});

describe('maxRowsPerMessage', () => {
  it('counts the row, its offset and all its pairs', () => {
    expect(maxRowsPerMessage(2048, 8, 'fp32', 256 + 10 * (8192 + 4 + 64))).toBe(10);
    expect(maxRowsPerMessage(2048, 8, 'fp16', 256 + 10 * (4096 + 4 + 64) - 1)).toBe(9);
  });

  it('refuses a row that does not fit', () => {
    expect(() => maxRowsPerMessage(2048, 8, 'fp32', 4096)).toThrow('does not fit a message of 4096 bytes');
  });
});
