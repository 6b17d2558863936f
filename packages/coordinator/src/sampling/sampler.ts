import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type SamplingParams } from './sampling-params.js';
import { type TokenCounts } from './token-counts.js';

/**
 * Chooses the next token. Steps and their order follow transformers' logits processors: penalties, temperature, top-k,
 * top-p, min-p, then one draw.
 *
 * @param logits fp32 [vocab]; changed in place by the penalties.
 * @param uniform A number in [0, 1) for the draw.
 * @throws ExpertmeshError `data_loss` when a logit is not a number.
 */
export function sampleToken(
  logits: Float32Array,
  params: SamplingParams,
  counts: TokenCounts,
  uniform: () => number,
): number {
  applyPenalties(logits, params, counts);
  const best = argmax(logits);
  if (params.temperature === 0 || params.topK === 1) return best;
  return draw(candidates(logits, params, best), uniform());
}

/** Index of the largest logit, the first of equals. */
export function argmax(logits: Float32Array): number {
  let best = 0;
  let bestLogit = -Infinity;
  for (let tokenId = 0; tokenId < logits.length; tokenId++) {
    const logit = logits[tokenId] ?? NaN;
    if (logit > bestLogit) {
      best = tokenId;
      bestLogit = logit;
    } else if (Number.isNaN(logit)) {
      throw new ExpertmeshError(
        'data_loss',
        `the model computed a logit that is not a number (token ${String(tokenId)})`,
      );
    }
  }
  return best;
}

// Repetition penalty as in CTRL (arXiv 1909.05858), over prompt and answer; presence and frequency penalty as in the
// OpenAI API, over the answer.
function applyPenalties(logits: Float32Array, params: SamplingParams, counts: TokenCounts): void {
  const { repetitionPenalty, presencePenalty, frequencyPenalty } = params;
  if (repetitionPenalty !== 1) {
    for (const tokenId of counts.all()) {
      const logit = logits[tokenId] ?? 0;
      logits[tokenId] = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
    }
  }
  if (presencePenalty !== 0 || frequencyPenalty !== 0) {
    for (const [tokenId, count] of counts.answer)
      logits[tokenId] = (logits[tokenId] ?? 0) - presencePenalty - frequencyPenalty * count;
  }
}

/** Tokens that may be drawn, and their probabilities times some factor. */
interface Candidates {
  /** Absent where every token may be drawn. */
  readonly tokenIds?: Int32Array;
  readonly weights: Float64Array;
  /** Sum of the weights. */
  readonly total: number;
}

// What top-k leaves is found without the probabilities of the rest: passing them by is several times as fast.
function candidates(logits: Float32Array, params: SamplingParams, best: number): Candidates {
  const { temperature, topK, topP, minP } = params;
  const bestLogit = logits[best] ?? 0;
  if (topK !== 0 && topK < logits.length) {
    const sorted = largest(logits, topK);
    const weights = Float64Array.from(sorted, (tokenId) =>
      Math.exp(((logits[tokenId] ?? 0) - bestLogit) / temperature),
    );
    return cut(sorted, weights, sum(weights) * topP, minP);
  }
  const all = weightsOfAll(logits, bestLogit, temperature);
  if (topP === 1 && minP === 0) return all;
  const mass = all.total * topP;
  const sorted = topByMass(all.weights, mass, minP);
  return cut(sorted, weightsOf(sorted, all.weights), mass, minP);
}

// One array for all calls: it is as long as the vocabulary, and a call has done with it when it returns.
let allWeights = new Float64Array();

function weightsOfAll(logits: Float32Array, bestLogit: number, temperature: number): Candidates {
  if (allWeights.length < logits.length) allWeights = new Float64Array(logits.length);
  const weights = allWeights.subarray(0, logits.length);
  let total = 0;
  for (let tokenId = 0; tokenId < logits.length; tokenId++) {
    const weight = Math.exp(((logits[tokenId] ?? 0) - bestLogit) / temperature);
    weights[tokenId] = weight;
    total += weight;
  }
  return { weights, total };
}

const weightsOf = (tokenIds: Int32Array, weights: Float64Array): Float64Array =>
  Float64Array.from(tokenIds, (tokenId) => weights[tokenId] ?? 0);

const sum = (weights: Float64Array): number => weights.reduce((total, weight) => total + weight, 0);

// Keeps the most likely tokens until they reach `mass` (top-p of what top-k left), and of those the ones that are at
// least `minP` times as likely as the first. One token always stays.
function cut(sorted: Int32Array, weights: Float64Array, mass: number, minP: number): Candidates {
  let kept = 0;
  let reached = 0;
  for (const weight of weights) {
    if (kept > 0 && (reached >= mass || weight < minP)) break;
    reached += weight;
    kept += 1;
  }
  return { tokenIds: sorted.subarray(0, kept), weights: weights.subarray(0, kept), total: reached };
}

const FIRST_GUESS = 128;

// The most likely tokens, at least as many as reach `mass` or as have a weight of `minP`, by widening a guess: sorting
// a whole vocabulary costs far more than a few passes over it.
function topByMass(weights: Float64Array, mass: number, minP: number): Int32Array {
  const isEnough = (sorted: Int32Array): boolean =>
    sorted.length === weights.length ||
    (weights[sorted.at(-1) ?? 0] ?? 0) < minP ||
    sum(weightsOf(sorted, weights)) >= mass;
  let numTokens = FIRST_GUESS;
  let sorted = largest(weights, numTokens);
  while (!isEnough(sorted)) {
    numTokens *= 8;
    sorted = largest(weights, numTokens);
  }
  return sorted;
}

/** Indices of the k largest values, largest first, equals by index. */
export function largest(values: Float32Array | Float64Array, k: number): Int32Array {
  if (k * 16 >= values.length) return Int32Array.from(values.keys()).sort(byValue(values)).slice(0, k);
  let kept: number[] = [];
  let floor = -Infinity;
  for (let index = 0; index < values.length; index++) {
    if ((values[index] ?? 0) <= floor) continue;
    kept.push(index);
    if (kept.length < 2 * k) continue;
    kept = kept.sort(byValue(values)).slice(0, k);
    floor = values[kept[k - 1] ?? 0] ?? 0;
  }
  return Int32Array.from(kept.sort(byValue(values)).slice(0, k));
}

const byValue =
  (values: Float32Array | Float64Array) =>
  (a: number, b: number): number =>
    (values[b] ?? 0) - (values[a] ?? 0) || a - b;

function draw({ tokenIds, weights, total }: Candidates, uniform: number): number {
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
