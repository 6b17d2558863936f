import { type LayerCall, type LayerResult } from '@expertmesh/coordinator/dispatch/expert-dispatcher';
import { HIDDEN_SIZE, LAYER_INDICES, NUM_EXPERTS, TOP_K } from './simulated-model.js';
import { type Simulator } from './simulator.js';

const MAX_ROWS = 3;
/** Stands in all rows of layer calls, and in none of a probe's. */
const CALL_VALUE = 7;

/** A layer call of a few rows for experts that chance chooses. */
export function randomCall(sim: Simulator): LayerCall {
  const numRows = 1 + Math.floor(sim.between(0, MAX_ROWS));
  const expertIds = Array.from({ length: numRows }, () => distinctExperts(sim)).flat();
  return callOf(sim.pick(LAYER_INDICES) ?? 0, expertIds);
}

/** One row for each two experts of a layer, so that all are asked for. */
export function callForAll(layerIndex: number): LayerCall {
  return callOf(
    layerIndex,
    Array.from({ length: NUM_EXPERTS }, (_, expertId) => expertId),
  );
}

function callOf(layerIndex: number, expertIds: readonly number[]): LayerCall {
  const numRows = expertIds.length / TOP_K;
  return {
    layerIndex,
    numRows,
    topK: TOP_K,
    rows: new Float32Array(numRows * HIDDEN_SIZE).fill(CALL_VALUE),
    expertIds: Int32Array.from(expertIds),
    routingWeights: new Float32Array(expertIds.length).fill(1),
  };
}

/** Whether a message belongs to a layer call: probes go to replicas that no placement names yet. */
export function isOfLayerCall(rows: ArrayLike<number>): boolean {
  return rows[0] === CALL_VALUE;
}

/** What is wrong with an answer: a pair of a row that did not fail was not counted once. undefined for nothing. */
export function miscount({ numRows, expertIds }: LayerCall, { sums, failures }: LayerResult): string | undefined {
  for (let row = 0; row < numRows; row++) {
    if (failures.has(row)) continue;
    const routed = new Set(expertIds.subarray(row * TOP_K, (row + 1) * TOP_K));
    for (let expertId = 0; expertId < NUM_EXPERTS; expertId++) {
      const count = sums[row * HIDDEN_SIZE + expertId] ?? 0;
      const wanted = routed.has(expertId) ? 1 : 0;
      if (count !== wanted)
        return `expert ${String(expertId)} counts ${String(count)} times in row ${String(row)}, not ${String(wanted)}`;
    }
  }
  return undefined;
}

function distinctExperts(sim: Simulator): number[] {
  const left = Array.from({ length: NUM_EXPERTS }, (_, expertId) => expertId);
  return Array.from({ length: TOP_K }, () => left.splice(Math.floor(sim.random() * left.length), 1)[0] ?? 0);
}
