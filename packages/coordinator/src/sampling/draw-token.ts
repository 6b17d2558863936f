import { largest } from './largest.js';
import { negativeExp } from './negative-exp.js';
import { type SamplingParams } from './sampling-params.js';

/**
 * Draws a token: temperature, min-p, top-k, top-p, then one random number. The order is vLLM's (docs/sampling.md), so
 * top-p is measured on what min-p and top-k have left.
 *
 * @param logits fp32 [vocab], -Infinity where a token is forbidden.
 * @param best Index of the largest logit, which must be finite.
 * @param uniform A number in [0, 1).
 */
export function drawToken(logits: Float32Array, params: SamplingParams, best: number, uniform: number): number {
  return pick(candidates(logits, params, logits[best] ?? 0), uniform);
}

/** Tokens that may be drawn, and their probabilities times some factor. */
interface Candidates {
  /** Absent where every token may be drawn. */
  readonly tokenIds?: Int32Array;
  readonly weights: Float64Array;
  /** Sum of the weights. */
  readonly total: number;
}

// Weights are relative to the most likely token's, which is 1: min-p is then a bound on the weight itself. What top-k
// leaves is found without the probabilities of the rest, which is several times as fast.
function candidates(logits: Float32Array, params: SamplingParams, bestLogit: number): Candidates {
  const { temperature, topK, topP, minP } = params;
  if (topK !== 0 && topK < logits.length) {
    const sorted = largest(logits, topK);
    const weights = Float64Array.from(sorted, (tokenId) => {
      const weight = negativeExp(((logits[tokenId] ?? 0) - bestLogit) / temperature);
      return weight < minP ? 0 : weight;
    });
    return cut(sorted, weights, topP === 1 ? Infinity : sum(weights) * topP);
  }
  const all = weightsOfAll(logits, params, bestLogit);
  if (topP === 1) return all;
  const mass = all.total * topP;
  const sorted = topByMass(logits, all.weights, mass);
  return cut(sorted, weightsOf(sorted, all.weights), mass);
}

// One array for all calls: it is as long as the vocabulary, and a call has done with it when it returns.
let allWeights = new Float64Array();

function weightsOfAll(logits: Float32Array, { temperature, minP }: SamplingParams, bestLogit: number): Candidates {
  if (allWeights.length < logits.length) allWeights = new Float64Array(logits.length);
  const weights = allWeights.subarray(0, logits.length);
  let total = 0;
  for (let tokenId = 0; tokenId < logits.length; tokenId++) {
    const weight = negativeExp(((logits[tokenId] ?? 0) - bestLogit) / temperature);
    const kept = weight < minP ? 0 : weight;
    weights[tokenId] = kept;
    total += kept;
  }
  return { weights, total };
}

const weightsOf = (tokenIds: Int32Array, weights: Float64Array): Float64Array =>
  Float64Array.from(tokenIds, (tokenId) => weights[tokenId] ?? 0);

const sum = (weights: Float64Array): number => weights.reduce((total, weight) => total + weight, 0);

/** Keeps the most likely tokens until they reach `mass`. One token always stays. */
function cut(sorted: Int32Array, weights: Float64Array, mass: number): Candidates {
  let kept = 0;
  let reached = 0;
  for (const weight of weights) {
    if (kept > 0 && reached >= mass) break;
    reached += weight;
    kept += 1;
  }
  return { tokenIds: sorted.subarray(0, kept), weights: weights.subarray(0, kept), total: reached };
}

const FIRST_GUESS = 128;

// The most likely tokens, at least as many as reach `mass`, by widening a guess: sorting a whole vocabulary costs far
// more than a few passes over it.
function topByMass(logits: Float32Array, weights: Float64Array, mass: number): Int32Array {
  let numTokens = FIRST_GUESS;
  let sorted = largest(logits, numTokens);
  while (sorted.length < weights.length && sum(weightsOf(sorted, weights)) < mass) {
    numTokens *= 8;
    sorted = largest(logits, numTokens);
  }
  return sorted;
}

function pick({ tokenIds, weights, total }: Candidates, uniform: number): number {
  let rest = uniform * total;
  let last = 0;
  for (let index = 0; index < weights.length; index++) {
    const weight = weights[index] ?? 0;
    if (weight === 0) continue;
    last = index;
    rest -= weight;
    if (rest < 0) break;
  }
  return tokenIds === undefined ? last : (tokenIds[last] ?? 0);
}
