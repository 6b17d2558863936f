import { type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';

/** A right call of two rows and three pairs. */
export const twoRowCall: DispatchCall = {
  callId: 7,
  layerIndex: 3,
  placementVersion: 2,
  storeId: '0123456789abcdef',
  numRows: 2,
  hiddenSize: 3,
  rowDtype: 'fp32',
  rowOffsets: Uint32Array.of(0, 2, 3),
  expertIds: Uint32Array.of(5, 9, 5),
  routingWeights: Float32Array.of(0.5, 0.25, 1),
  rows: Float32Array.of(1, 2, 3, 4, 5, 6),
};
