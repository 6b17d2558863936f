import { argmax, largest } from './largest.js';
import { negativeExp } from './negative-exp.js';
import { type TokenLogprobs } from './sampling-params.js';

/** In `numTop`: the whole vocabulary. */
export const ALL_TOKENS = -1;

/**
 * Log-probability of a token, its rank, and the most likely tokens: the natural log-softmax of what the model computed,
 * exact to 1e-9.
 *
 * @param logits fp32 [vocab], before anything has bent them; left as they are.
 * @param tokenId The token that was chosen, or that the prompt has.
 * @param numTop How many of the most likely tokens, `ALL_TOKENS` for all.
 * @throws ExpertmeshError `data_loss` when a logit is not a number.
 */
export function tokenLogprobs(logits: Float32Array, tokenId: number, numTop: number): TokenLogprobs {
  const { norm, rank } = normAndRank(logits, tokenId);
  const logprob = (id: number): number => (logits[id] ?? -Infinity) - norm;
  const tokenIds = largest(logits, numTop === ALL_TOKENS ? logits.length : numTop);
  return {
    tokenId,
    logprob: logprob(tokenId),
    rank,
    top: Array.from(tokenIds, (id) => ({ tokenId: id, logprob: logprob(id) })),
  };
}

/** The logarithm of the sum of exponentials, and a token's place when tokens are sorted as in `top`: equals by id. */
function normAndRank(logits: Float32Array, tokenId: number): { norm: number; rank: number } {
  const largestLogit = logits[argmax(logits)] ?? 0;
  const own = logits[tokenId] ?? -Infinity;
  let total = 0;
  let rank = 1;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] ?? -Infinity;
    total += negativeExp(logit - largestLogit);
    if (logit > own || (logit === own && id < tokenId)) rank += 1;
  }
  return { norm: largestLogit + Math.log(total), rank };
}
