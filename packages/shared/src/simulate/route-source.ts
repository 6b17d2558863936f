import { type ExpertLoads } from '../placement/expert-loads.js';
import { type SimulatedModel } from './simulated-model.js';

/** Where simulated tokens go: the experts of a row, drawn at random or from what was recorded. */
export interface RouteSource {
  /** What a placement is planned from. */
  readonly loads: ExpertLoads;
  /**
   * The routes of one pass of a batch through one layer.
   *
   * @param layer a position in the model's layers with experts
   * @returns [rows, top-k]
   */
  draw(layer: number, numRows: number, random: () => number): Uint16Array;
}

/** Each token chooses its experts at random, as an untrained router does. */
export function uniformRoutes({ layerIndices, numExperts, topK }: SimulatedModel, batchSize: number): RouteSource {
  const tokens = new Float64Array(numExperts).fill((batchSize * topK) / numExperts);
  return {
    loads: { numExperts, topK, numSteps: 1, layers: layerIndices.map((layerIndex) => ({ layerIndex, tokens })) },
    draw(_layer, numRows, random) {
      const ids = new Uint16Array(numRows * topK);
      for (let row = 0; row < numRows; row++) ids.set(distinctExperts(numExperts, topK, random), row * topK);
      return ids;
    },
  };
}

function distinctExperts(numExperts: number, topK: number, random: () => number): number[] {
  const chosen = new Set<number>();
  while (chosen.size < topK) chosen.add(Math.floor(random() * numExperts));
  return [...chosen];
}

/**
 * Rows as they were recorded: a batch is made of rows that were next to each other, which is how likely they are of one
 * text.
 *
 * @param rows [layers][rows, top-k], the same number of rows in each layer and at least one
 */
export function recordedRoutes(
  { layerIndices, numExperts, topK }: SimulatedModel,
  rows: readonly Uint16Array[],
  batchSize: number,
): RouteSource {
  const numRecorded = (rows[0]?.length ?? 0) / topK;
  const scale = batchSize / numRecorded;
  const layers = layerIndices.map((layerIndex, layer) => {
    const tokens = new Float64Array(numExperts);
    for (const expertId of rows[layer] ?? []) tokens[expertId] = (tokens[expertId] ?? 0) + scale;
    return { layerIndex, tokens };
  });
  return {
    loads: { numExperts, topK, numSteps: 1, layers },
    draw(layer, numRows, random) {
      const ids = new Uint16Array(numRows * topK);
      const first = Math.floor(random() * numRecorded);
      for (let row = 0; row < numRows; row++) {
        const start = ((first + row) % numRecorded) * topK;
        ids.set(rows[layer]?.subarray(start, start + topK) ?? [], row * topK);
      }
      return ids;
    },
  };
}
