/** Longest and shortest end of the context that is looked up in it. */
const MAX_NGRAM = 4;
const MIN_NGRAM = 2;

/**
 * Proposes what may come next: finds the last earlier place of the context whose tokens are those that it ends with, and
 * takes what followed there (prompt lookup decoding; Saxena 2023). Long matches are tried before short ones.
 *
 * @param tokenIds Prompt and answer so far.
 * @param maxTokens Most tokens to propose.
 * @returns At most maxTokens tokens; none where nothing matches.
 */
export function lookUpDraft(tokenIds: readonly number[], maxTokens: number): number[] {
  if (maxTokens < 1) return [];
  for (let size = Math.min(MAX_NGRAM, tokenIds.length - 1); size >= MIN_NGRAM; size--) {
    const end = endOfLastMatch(tokenIds, size);
    if (end !== undefined) return tokenIds.slice(end, end + maxTokens);
  }
  return [];
}

/** Index behind the last occurrence of the final `size` tokens that is not the end itself. */
function endOfLastMatch(tokenIds: readonly number[], size: number): number | undefined {
  const first = tokenIds.length - size;
  for (let start = first - 1; start >= 0; start--) {
    let length = 0;
    while (length < size && tokenIds[start + length] === tokenIds[first + length]) length += 1;
    if (length === size) return start + size;
  }
  return undefined;
}
