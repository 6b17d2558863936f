import { type LayerCall } from './expert-dispatcher.js';
import { type DispatchPart } from './route-plan.js';

/** One fixed row for one expert: a call whose answer shows that a replica is there, and the same as another one. */
export const probeCall = (layerIndex: number, expertId: number, hiddenSize: number): LayerCall => ({
  layerIndex,
  numRows: 1,
  topK: 1,
  rows: Float32Array.from({ length: hiddenSize }, (_, column) => ((column % 7) - 3) / 4),
  expertIds: Int32Array.of(expertId),
  routingWeights: Float32Array.of(1),
});

export const probePart = (workerIndex: number, expertId: number): DispatchPart => ({
  workerIndex,
  rowIndices: Uint32Array.of(0),
  rowOffsets: Uint32Array.of(0, 1),
  expertIds: Uint32Array.of(expertId),
  routingWeights: Float32Array.of(1),
});
