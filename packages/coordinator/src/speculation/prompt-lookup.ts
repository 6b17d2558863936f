/** A shorter end of the context says too little about what follows. */
const MIN_MATCH = 2;
/** A longer one says no more. */
export const MAX_MATCH = 16;

export interface Draft {
  readonly tokenIds: readonly number[];
  /** How many tokens of the context's end stand before what was taken; 0 if nothing was found. */
  readonly matchLength: number;
}

/**
 * Proposes what may come next: finds the place of the context that agrees longest with what it ends with, the last one
 * of equals, and takes what followed there (prompt lookup decoding; Saxena 2023).
 *
 * @param tokenIds Prompt and answer so far.
 * @param maxTokens Most tokens to propose.
 */
export function lookUpDraft(tokenIds: readonly number[], maxTokens: number): Draft {
  if (maxTokens < 1) return NO_DRAFT;
  let matchLength = 0;
  let bestEnd = 0;
  for (let end = tokenIds.length - 1; end >= MIN_MATCH && matchLength < MAX_MATCH; end--) {
    const length = agreement(tokenIds, end);
    if (length <= matchLength) continue;
    matchLength = length;
    bestEnd = end;
  }
  if (matchLength < MIN_MATCH) return NO_DRAFT;
  return { tokenIds: tokenIds.slice(bestEnd, bestEnd + maxTokens), matchLength };
}

const NO_DRAFT: Draft = { tokenIds: [], matchLength: 0 };

/** How many tokens before `end` are those before the end of the context. */
function agreement(tokenIds: readonly number[], end: number): number {
  const most = Math.min(MAX_MATCH, end);
  const last = tokenIds.length;
  let length = 0;
  while (length < most && tokenIds[end - 1 - length] === tokenIds[last - 1 - length]) length += 1;
  return length;
}
