import { moeLayerIndices, type ModelSpec } from '../model/model-spec.js';

/**
 * What routing looks like in a model: the layers that have experts, ascending, and how many a token chooses from how
 * many.
 */
export interface RoutingShape {
  readonly layerIndices: readonly number[];
  readonly numExperts: number;
  readonly topK: number;
}

export function routingShape(spec: ModelSpec): RoutingShape {
  return {
    layerIndices: moeLayerIndices(spec),
    numExperts: spec.numExperts,
    topK: spec.topK,
  };
}

/** Entries of a layer's upper triangle of co-activations: the unordered pairs of different experts. */
export function numExpertPairs(numExperts: number): number {
  return (numExperts * (numExperts - 1)) / 2;
}

/**
 * [numExperts] so that a pair first < second is entry `starts[first] + second` of the triangle, which is stored row
 * after row.
 */
export function triangleStarts(numExperts: number): Int32Array {
  return Int32Array.from(
    { length: numExperts },
    (_, first) => first * numExperts - (first * (first + 1)) / 2 - first - 1,
  );
}

export function isSameShape(a: RoutingShape, b: RoutingShape): boolean {
  return (
    a.numExperts === b.numExperts &&
    a.topK === b.topK &&
    a.layerIndices.length === b.layerIndices.length &&
    a.layerIndices.every((layerIndex, position) => layerIndex === b.layerIndices[position])
  );
}
