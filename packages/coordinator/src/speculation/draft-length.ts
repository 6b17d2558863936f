/** How long a step takes: a fixed part (weights that every step reads, round trips) and a part per token row. */
export interface StepCost {
  readonly fixedMs: number;
  readonly perRowMs: number;
}

/**
 * The number of drafted tokens that makes the sequence fastest: a step with d of them computes d more rows and is
 * expected to give (1 - p^(d+1)) / (1 - p) tokens, p being the chance that a drafted token is accepted (Leviathan et al.: Fast
 * Inference from Transformers via Speculative Decoding, arXiv 2211.17192, eq. 1). 0 where drafting does not pay.
 *
 * @param acceptance p, in [0, 1].
 * @param numOtherRows Rows of the step that are there anyway, this sequence's own token included.
 */
export function bestDraftLength(acceptance: number, cost: StepCost, numOtherRows: number, maxLength: number): number {
  const baseMs = cost.fixedMs + cost.perRowMs * numOtherRows;
  let best = 0;
  let bestRate = 1 / baseMs;
  let expectedTokens = 1;
  let chance = 1;
  for (let length = 1; length <= maxLength; length++) {
    chance *= acceptance;
    expectedTokens += chance;
    const rate = expectedTokens / (baseMs + cost.perRowMs * length);
    if (rate <= bestRate) continue;
    best = length;
    bestRate = rate;
  }
  return best;
}
