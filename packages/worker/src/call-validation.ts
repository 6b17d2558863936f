import { ExpertmeshError, type ErrorCode } from '@expertmesh/shared/errors/expertmesh-error';
import { type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';

/** One loaded layer, as far as a call is checked against it. */
export interface ServedLayer {
  readonly layerIndex: number;
  /** By logical expert: its position in the layer's shard, or -1 where this worker does not hold it. */
  readonly localIndices: Int32Array;
}

/** What this worker answers calls for. */
export interface ServedShard<Layer extends ServedLayer = ServedLayer> {
  readonly placementVersion: number;
  readonly hiddenSize: number;
  readonly layers: ReadonlyMap<number, Layer>;
}

/**
 * Checks a decoded call, whose tensors agree with each other, against what is loaded and returns the layer that computes it.
 *
 * @throws ExpertmeshError `failed_precondition` when nothing is loaded or another placement version is served, `invalid_argument` when
 * the call is for another model, for experts that this worker does not hold, has more pairs than its rows can have, or has weights that are not finite.
 */
export function findLayer<Layer extends ServedLayer>(call: DispatchCall, shard: ServedShard<Layer> | undefined): Layer {
  if (shard === undefined)
    refuse('failed_precondition', 'no experts are loaded on this worker: assign and load them first');
  if (call.placementVersion !== shard.placementVersion)
    refuse(
      'failed_precondition',
      `placement version ${String(call.placementVersion)} is not served, version ${String(shard.placementVersion)} is: ` +
        'route by that one, or load the other',
    );
  if (call.hiddenSize !== shard.hiddenSize)
    refuse(
      'invalid_argument',
      `hidden_size is ${String(call.hiddenSize)}, the loaded model has ${String(shard.hiddenSize)}: send rows of the same model`,
    );
  const layer = shard.layers.get(call.layerIndex);
  if (layer === undefined)
    refuse(
      'invalid_argument',
      `layer ${String(call.layerIndex)} has no experts on this worker, which holds experts of ${describeLayers(shard)}`,
    );
  checkPairs(call, layer);
  return layer;
}

function checkPairs({ numRows, expertIds, routingWeights }: DispatchCall, layer: ServedLayer): void {
  const numExperts = layer.localIndices.length;
  if (expertIds.length > numRows * numExperts)
    refuse(
      'invalid_argument',
      `${String(numRows)} rows have ${String(expertIds.length)} pairs, but a layer has ${String(numExperts)} experts: send each expert of a row once`,
    );
  for (let pairIndex = 0; pairIndex < expertIds.length; pairIndex += 1) {
    const expertId = expertIds[pairIndex] ?? 0;
    if ((layer.localIndices[expertId] ?? -1) < 0) refuseExpert(expertId, layer);
    const weight = routingWeights[pairIndex];
    if (!Number.isFinite(weight))
      refuse('invalid_argument', `routing_weights[${String(pairIndex)}] is ${String(weight)}: weights must be finite`);
  }
}

function refuseExpert(expertId: number, layer: ServedLayer): never {
  const numExperts = layer.localIndices.length;
  if (expertId >= numExperts)
    refuse('invalid_argument', `expert ${String(expertId)} does not exist: a layer has ${String(numExperts)} experts`);
  refuse(
    'invalid_argument',
    `expert ${String(expertId)} of layer ${String(layer.layerIndex)} is not on this worker, which holds ${describeExperts(layer)}`,
  );
}

function describeExperts(layer: ServedLayer): string {
  const held = [...layer.localIndices.keys()].filter((expertId) => (layer.localIndices[expertId] ?? -1) >= 0);
  return `${String(held.length)} experts from ${String(held[0])} to ${String(held.at(-1))}`;
}

function describeLayers(shard: ServedShard): string {
  const indices = [...shard.layers.keys()];
  return indices.length === 0
    ? 'no layer'
    : `${String(indices.length)} layers from ${String(Math.min(...indices))} to ${String(Math.max(...indices))}`;
}

function refuse(code: ErrorCode, message: string): never {
  throw new ExpertmeshError(code, message);
}
