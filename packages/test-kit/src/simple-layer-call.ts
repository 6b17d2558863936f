import { type LayerCall } from '@expertmesh/coordinator/dispatch/expert-dispatcher';
import { simpleExpert } from './simple-expert-server.js';

/** A layer call whose rows have the given experts. */
export function simpleLayerCall(
  layerIndex: number,
  hiddenSize: number,
  expertsOfRows: readonly (readonly number[])[],
): LayerCall {
  const expertIds = Int32Array.from(expertsOfRows.flat());
  return {
    layerIndex,
    numRows: expertsOfRows.length,
    topK: expertsOfRows[0]?.length ?? 0,
    rows: Float32Array.from({ length: expertsOfRows.length * hiddenSize }, (_, index) => Math.sin(index * 12.9898) * 3),
    expertIds,
    routingWeights: Float32Array.from(expertIds, (_, pair) => 0.1 + pair / 17),
  };
}

/** What SimpleExpertServers, taken together, compute for one row of the call: [hidden]. */
export function simpleSum(call: LayerCall, row: number): number[] {
  const hiddenSize = call.rows.length / call.numRows;
  return Array.from(call.rows.subarray(row * hiddenSize, (row + 1) * hiddenSize), (value) => {
    let sum = 0;
    for (let pair = row * call.topK; pair < (row + 1) * call.topK; pair++)
      sum += (call.routingWeights[pair] ?? 0) * simpleExpert(value, call.expertIds[pair] ?? 0);
    return sum;
  });
}
