import { describe, expect, it } from 'vitest';
import { MAX_DISPATCH_ROWS } from '@expertmesh/shared/limits/limits';
import { type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { type ServedShard } from '../shards/served-shard.js';
import { findLayer } from './call-validation.js';

const TOP_K = 2;
const layer = { layerIndex: 2, localIndices: Int32Array.of(-1, 0, 1, -1) };
const shard: ServedShard = { storeId: '0123456789abcdef', hiddenSize: 3, layers: new Map([[2, layer]]) };

/** Two rows: the first with experts 1 and 2, the second with expert 2. */
const call: DispatchCall = {
  callId: 1,
  layerIndex: 2,
  placementVersion: 7,
  numRows: 2,
  storeId: '0123456789abcdef',
  hiddenSize: 3,
  rowDtype: 'fp32',
  rowOffsets: Uint32Array.of(0, 2, 3),
  expertIds: Uint32Array.of(1, 2, 2),
  routingWeights: Float32Array.of(0.5, 0.25, 0.25),
  rows: new Float32Array(6),
};

const refusal = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string });

describe('findLayer', () => {
  it('returns the layer that computes a right call', () => {
    expect(findLayer(call, TOP_K, shard)).toBe(layer);
  });

  it('computes what it holds, whatever placement the caller routed by', () => {
    expect(findLayer({ ...call, placementVersion: 6 }, TOP_K, shard)).toBe(layer);
  });

  const notHeld: [
    what: string,
    change: Partial<DispatchCall>,
    held: typeof shard | undefined,
    missing: number[],
    message: RegExp,
  ][] = [
    [
      'every expert while nothing is loaded',
      {},
      undefined,
      [1, 2],
      /expert 1 and 1 more of layer 2 .* holds nothing yet/,
    ],
    [
      'those of another store',
      { storeId: 'ffff' },
      shard,
      [1, 2],
      /holds store 0123456789abcdef and not ffff: route by/,
    ],
    ['those of a store that is not named', { storeId: '' }, shard, [1, 2], /and not one that is not named/],
    ['those of a layer without experts here', { layerIndex: 5 }, shard, [1, 2], /1 layers from 2 to 2: route by/],
    [
      'those that are held elsewhere',
      {
        numRows: 3,
        rowOffsets: Uint32Array.of(0, 2, 3, 3),
        expertIds: Uint32Array.of(1, 3, 3),
        rows: new Float32Array(9),
      },
      shard,
      [3],
      /expert 3 of layer 2 is not .* 2 experts from 1 to 2/,
    ],
  ];
  it.each(notHeld)('names %s', (_, change, held, missingExpertIds, message) => {
    const text = expect.stringMatching(message) as string;
    expect(() => findLayer({ ...call, ...change }, TOP_K, held)).toThrow(
      expect.objectContaining({ code: 'failed_precondition', message: text, missingExpertIds }),
    );
  });

  const wrongCalls: [what: string, change: Partial<DispatchCall>, message: RegExp][] = [
    ['an expert that does not exist', { expertIds: Uint32Array.of(1, 4, 2) }, /expert 4 does not exist: .* 4 experts/],
    [
      'more pairs than its rows are routed to',
      { expertIds: new Uint32Array(5).fill(1), routingWeights: new Float32Array(5) },
      /2 rows have 5 pairs, and the model routes a row to 2 experts/,
    ],
    [
      'more rows than a call may have',
      { numRows: MAX_DISPATCH_ROWS + 1 },
      /the call has 65537 rows, at most 65536 are taken/,
    ],
    ['another hidden size', { hiddenSize: 4 }, /hidden_size is 4, the loaded model has 3/],
    ['a weight that is NaN', { routingWeights: Float32Array.of(1, NaN, 1) }, /routing_weights\[1\] is NaN/],
    ['an infinite weight', { routingWeights: Float32Array.of(1, 1, -Infinity) }, /routing_weights\[2\] is -Infinity/],
  ];
  it.each(wrongCalls)('refuses %s', (_, change, message) => {
    expect(() => findLayer({ ...call, ...change }, TOP_K, shard)).toThrow(refusal('invalid_argument', message));
  });
});
