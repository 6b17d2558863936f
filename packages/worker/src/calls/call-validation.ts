import { missingExperts } from '@expertmesh/compute/experts/local-indices';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ExpertsNotHeldError } from '@expertmesh/shared/errors/experts-not-held-error';
import { MAX_DISPATCH_ROWS } from '@expertmesh/shared/limits/limits';
import { type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { MAX_EXACT_TERMS } from '@expertmesh/shared/rpc/sum-units';
import { type ServedLayer, type ServedShard } from '../shards/served-shard.js';

/**
 * Checks a decoded call, whose tensors agree with each other, against what is loaded and returns the layer that
 * computes it. The placement version that the caller routed by does not matter: the answer of an expert does not depend
 * on it.
 *
 * @param topK experts that the model routes a row to
 * @throws ExpertsNotHeldError for experts that this worker does not hold; ExpertmeshError `invalid_argument` when the
 * call is for another model, has more rows than a call may or more pairs than its rows can have, or has weights that
 * are not finite.
 */
export function findLayer<Layer extends ServedLayer>(
  call: DispatchCall,
  topK: number,
  shard: ServedShard<Layer> | undefined,
): Layer {
  requireSize(call, topK);
  if (shard === undefined) throw notHeld(call, new Set(call.expertIds), 'nothing yet');
  if (call.storeId !== shard.storeId)
    throw notHeld(
      call,
      new Set(call.expertIds),
      `store ${shard.storeId} and not ${call.storeId || 'one that is not named'}`,
    );
  if (call.hiddenSize !== shard.hiddenSize)
    refuse(
      `hidden_size is ${String(call.hiddenSize)}, the loaded model has ${String(shard.hiddenSize)}: ` +
        'send rows of the same model',
    );
  const layer = shard.layers.get(call.layerIndex);
  if (layer === undefined) throw notHeld(call, new Set(call.expertIds), `experts of ${describeLayers(shard)}`);
  checkPairs(call, layer);
  checkTerms(call);
  const missing = missingExperts(call.expertIds, layer.localIndices);
  if (missing.length > 0) throw notHeld(call, new Set(missing), describeExperts(layer));
  return layer;
}

/** @throws ExpertmeshError `invalid_argument` for a row whose sum has too many terms to be exact. */
function checkTerms({ sumUnits, rowOffsets }: DispatchCall): void {
  if (sumUnits === undefined) return;
  for (let row = 0; row < sumUnits.length; row += 1) {
    const numPairs = (rowOffsets[row + 1] ?? 0) - (rowOffsets[row] ?? 0);
    if (numPairs > MAX_EXACT_TERMS)
      refuse(
        `row ${String(row)} has ${String(numPairs)} pairs, exact sums have at most ${String(MAX_EXACT_TERMS)} terms: ` +
          'send it without sum_units',
      );
  }
}

/** Before anything is allocated for the call. */
function requireSize({ numRows, expertIds }: DispatchCall, topK: number): void {
  if (numRows > MAX_DISPATCH_ROWS)
    refuse(`the call has ${String(numRows)} rows, at most ${String(MAX_DISPATCH_ROWS)} are taken: split it`);
  if (expertIds.length > numRows * topK)
    refuse(
      `${String(numRows)} rows have ${String(expertIds.length)} pairs, and the model routes a row to ${String(topK)} ` +
        'experts: send each of them once',
    );
}

function checkPairs({ expertIds, routingWeights }: DispatchCall, layer: ServedLayer): void {
  const numExperts = layer.localIndices.length;
  for (let pairIndex = 0; pairIndex < expertIds.length; pairIndex += 1) {
    const expertId = expertIds[pairIndex] ?? 0;
    if (expertId >= numExperts)
      refuse(`expert ${String(expertId)} does not exist: a layer has ${String(numExperts)} experts`);
    const weight = routingWeights[pairIndex];
    if (!Number.isFinite(weight))
      refuse(`routing_weights[${String(pairIndex)}] is ${String(weight)}: weights must be finite`);
  }
}

function notHeld({ layerIndex }: DispatchCall, missing: ReadonlySet<number>, held: string): ExpertsNotHeldError {
  const [first, ...others] = missing;
  const more = others.length === 0 ? '' : ` and ${String(others.length)} more`;
  return new ExpertsNotHeldError(
    [...missing],
    `expert ${String(first)}${more} of layer ${String(layerIndex)} is not on this worker, which holds ${held}: ` +
      'route by a newer placement, or assign and load it here',
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

function refuse(message: string): never {
  throw new ExpertmeshError('invalid_argument', message);
}
