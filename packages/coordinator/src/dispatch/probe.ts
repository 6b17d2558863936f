import { type LayerCall } from './expert-dispatcher.js';
import { type DispatchPart } from './route-plan.js';

/** One fixed row for one expert: a call whose answer shows that a replica is there, and the same as another one. */
export function probeCall(layerIndex: number, expertId: number, hiddenSize: number): LayerCall {
  return {
    layerIndex,
    numRows: 1,
    topK: 1,
    rows: Float32Array.from({ length: hiddenSize }, (_, column) => ((column % 7) - 3) / 4),
    expertIds: Int32Array.of(expertId),
    routingWeights: Float32Array.of(1),
  };
}

export function probePart(workerIndex: number, expertId: number): DispatchPart {
  return {
    workerIndex,
    rowIndices: Uint32Array.of(0),
    rowOffsets: Uint32Array.of(0, 1),
    expertIds: Uint32Array.of(expertId),
    routingWeights: Float32Array.of(1),
  };
}
