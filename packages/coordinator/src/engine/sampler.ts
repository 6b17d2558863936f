import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type SamplingParams } from './engine-client.js';
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

/** Tokens that may be drawn with their unnormalised probabilities (the most likely one has 1). */
interface Candidates {
  readonly tokenIds: ArrayLike<number>;
  readonly weights: Float64Array;
}

function candidates(logits: Float32Array, params: SamplingParams, best: number): Candidates {
  const weights = new Float64Array(logits.length);
  const bestLogit = logits[best] ?? 0;
  let total = 0;
  for (let tokenId = 0; tokenId < logits.length; tokenId++) {
    const weight = Math.exp(((logits[tokenId] ?? 0) - bestLogit) / params.temperature);
    weights[tokenId] = weight;
    total += weight;
  }
  const topK = params.topK === 0 ? logits.length : Math.min(params.topK, logits.length);
  if (topK === logits.length && params.topP === 1 && params.minP === 0) return { tokenIds: identity(weights), weights };
  const sorted = topK === logits.length ? topByMass(weights, total * params.topP, params.minP) : largest(weights, topK);
  const massOf = topK === logits.length ? total : sum(sorted, weights);
  const kept = cut(sorted, weights, massOf * params.topP, params.minP);
  return { tokenIds: kept, weights: Float64Array.from(kept, (tokenId) => weights[tokenId] ?? 0) };
}

const identity = (weights: Float64Array): Int32Array => Int32Array.from(weights, (_, tokenId) => tokenId);

const sum = (tokenIds: Int32Array, weights: Float64Array): number =>
  tokenIds.reduce((total, tokenId) => total + (weights[tokenId] ?? 0), 0);

// Keeps the most likely tokens until they reach `mass` (top-p of what top-k left), and of those the ones that are at
// least `minP` times as likely as the first. One token always stays.
function cut(sorted: Int32Array, weights: Float64Array, mass: number, minP: number): Int32Array {
  let kept = 0;
  let reached = 0;
  for (const tokenId of sorted) {
    const weight = weights[tokenId] ?? 0;
    if (kept > 0 && (reached >= mass || weight < minP)) break;
    reached += weight;
    kept += 1;
  }
  return sorted.subarray(0, kept);
}

const FIRST_GUESS = 128;

// The most likely tokens, at least as many as reach `mass` or as have a weight of `minP`, by widening a guess: sorting a
// whole vocabulary costs far more than a few passes over it.
function topByMass(weights: Float64Array, mass: number, minP: number): Int32Array {
  const isEnough = (sorted: Int32Array): boolean =>
    sorted.length === weights.length || (weights[sorted.at(-1) ?? 0] ?? 0) < minP || sum(sorted, weights) >= mass;
  let numTokens = FIRST_GUESS;
  let sorted = largest(weights, numTokens);
  while (!isEnough(sorted)) {
    numTokens *= 8;
    sorted = largest(weights, numTokens);
  }
  return sorted;
}

/** Indices of the k largest weights, largest first, equals by index. */
export function largest(weights: Float64Array, k: number): Int32Array {
  if (k * 16 >= weights.length) return identity(weights).sort(byWeight(weights)).slice(0, k);
  let kept: number[] = [];
  let floor = -Infinity;
  for (let index = 0; index < weights.length; index++) {
    if ((weights[index] ?? 0) <= floor) continue;
    kept.push(index);
    if (kept.length < 2 * k) continue;
    kept = kept.sort(byWeight(weights)).slice(0, k);
    floor = weights[kept[k - 1] ?? 0] ?? 0;
  }
  return Int32Array.from(kept.sort(byWeight(weights)).slice(0, k));
}

const byWeight =
  (weights: Float64Array) =>
  (a: number, b: number): number =>
    (weights[b] ?? 0) - (weights[a] ?? 0) || a - b;

function draw({ tokenIds, weights }: Candidates, uniform: number): number {
  let rest = uniform * weights.reduce((sum, weight) => sum + weight, 0);
  let last = 0;
  for (let index = 0; index < weights.length; index++) {
    const weight = weights[index] ?? 0;
    if (weight === 0) continue;
    last = index;
    rest -= weight;
    if (rest < 0) break;
  }
  return tokenIds[last] ?? 0;
}
