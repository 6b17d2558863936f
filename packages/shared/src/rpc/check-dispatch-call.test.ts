import { expect, it } from 'vitest';
import { twoRowCall as call } from '@expertmesh/test-kit/two-row-call';
import { type ExpertmeshError } from '../errors/expertmesh-error.js';
import { decodeDispatchCall, encodeDispatchCall } from './dispatch-codec.js';
import { type DispatchCall } from './dispatch-message.js';

it.each<[string, Partial<DispatchCall>]>([
  ['a unit too few', { sumUnits: Float32Array.of(1) }],
  ['a unit that is no power of two', { sumUnits: Float32Array.of(1, 3) }],
  ['too few row offsets', { rowOffsets: Uint32Array.of(0, 3) }],
  ['row offsets that do not start at 0', { rowOffsets: Uint32Array.of(1, 2, 3) }],
  ['row offsets that descend', { rowOffsets: Uint32Array.of(0, 9, 3) }],
  ['row offsets that end before the pairs do', { rowOffsets: Uint32Array.of(0, 1, 2) }],
  ['a pair without a weight', { routingWeights: Float32Array.of(1, 1) }],
  ['no rows', { numRows: 0, rows: new Float32Array(0), rowOffsets: Uint32Array.of(0) }],
  ['rows without elements', { hiddenSize: 0, rows: new Float32Array(0) }],
])('refuses a call with %s', (_, wrong) => {
  const message = encodeDispatchCall({ ...call, ...wrong });
  expect(() => decodeDispatchCall(message)).toThrow(
    expect.objectContaining({ code: 'invalid_argument' }) as ExpertmeshError,
  );
});
