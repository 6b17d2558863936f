/**
 * The number of drafted tokens that makes the sequence fastest: a step with d of them computes d more rows and is
 * expected to give (1 - p^(d+1)) / (1 - p) tokens, p being the chance that a drafted token is accepted (Leviathan et
 * al.: Fast Inference from Transformers via Speculative Decoding, arXiv 2211.17192, eq. 1). 0 where drafting does not
 * pay.
 *
 * @param acceptance p, in [0, 1].
 * @param stepMs How long a step of so many rows takes.
 * @param numOtherRows Rows of the step that are there anyway, this sequence's own token included.
 */
export function bestDraftLength(
  acceptance: number,
  stepMs: (numRows: number) => number,
  numOtherRows: number,
  maxLength: number,
): number {
  let best = 0;
  let bestRate = 1 / stepMs(numOtherRows);
  let expectedTokens = 1;
  let chance = 1;
  for (let length = 1; length <= maxLength; length++) {
    chance *= acceptance;
    expectedTokens += chance;
    const rate = expectedTokens / stepMs(numOtherRows + length);
    if (rate <= bestRate) continue;
    best = length;
    bestRate = rate;
  }
  return best;
}
