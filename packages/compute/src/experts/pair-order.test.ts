import { describe, expect, it } from 'vitest';
import { type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { PairOrder } from './pair-order.js';

/** A call whose row r has the given [expert, weight] pairs. */
function callOf(...pairsOfRows: (readonly (readonly [expertId: number, weight: number])[])[]): DispatchCall {
  const pairs = pairsOfRows.flat();
  let end = 0;
  return {
    callId: 0,
    layerIndex: 0,
    placementVersion: 1,
    storeId: '',
    numRows: pairsOfRows.length,
    hiddenSize: 1,
    rowDtype: 'fp32',
    rowOffsets: Uint32Array.of(0, ...pairsOfRows.map((row) => (end += row.length))),
    expertIds: Uint32Array.from(pairs, ([expertId]) => expertId),
    routingWeights: Float32Array.from(pairs, ([, weight]) => weight),
    rows: new Float32Array(pairsOfRows.length),
  };
}

const held = Int32Array.of(-1, 0, 1, -1, 2);
const sorted = (order: PairOrder): unknown => ({
  starts: [...order.starts],
  rows: [...order.rowIndices.subarray(0, order.numPairs)],
  weights: [...order.weights.subarray(0, order.numPairs)],
});

describe('PairOrder', () => {
  it('sorts the pairs of several calls by expert and numbers their rows through', () => {
    const order = new PairOrder();
    const first = callOf(
      [
        [4, 0.5],
        [1, 0.25],
      ],
      [[2, 1]],
    );
    const second = callOf([
      [1, 2],
      [4, 4],
    ]);
    order.sort([first, second], held, 3);
    expect(sorted(order)).toEqual({ starts: [0, 2, 3, 5], rows: [0, 2, 1, 0, 2], weights: [0.25, 2, 1, 0.5, 4] });
  });

  it('gives experts without pairs an empty range', () => {
    const order = new PairOrder();
    order.sort([callOf([[4, 1]])], held, 3);
    expect(sorted(order)).toEqual({ starts: [0, 0, 0, 1], rows: [0], weights: [1] });
  });

  it('keeps nothing of the batch before, also when that one was larger or of another layer', () => {
    const order = new PairOrder();
    order.sort(
      [
        callOf(
          [
            [0, 9],
            [1, 9],
          ],
          [[0, 9]],
        ),
      ],
      Int32Array.of(0, 1),
      2,
    );
    order.sort([callOf([], [[2, 1]])], held, 3);
    expect(sorted(order)).toEqual({ starts: [0, 0, 1, 1], rows: [1], weights: [1] });
  });
});
