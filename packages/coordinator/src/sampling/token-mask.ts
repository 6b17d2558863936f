/**
 * A set of token ids as bits: token `id` is bit `id % 32` of word `id / 32`. Tokens beyond the end are not in it.
 */
export type TokenMask = Uint32Array;

export function maskOf(tokenIds: Iterable<number>, vocabSize: number): TokenMask {
  const mask = new Uint32Array(Math.ceil(vocabSize / 32));
  for (const tokenId of tokenIds) mask[tokenId >>> 5] = (mask[tokenId >>> 5] ?? 0) | (1 << (tokenId & 31));
  return mask;
}

/** Forbids every token that is not in the mask. @param logits fp32 [vocab] */
export function forbidOthers(logits: Float32Array, mask: TokenMask): void {
  for (let start = 0; start < logits.length; start += 32) {
    const word = mask[start >>> 5] ?? 0;
    if (word === 0) logits.fill(-Infinity, start, start + 32);
    else if (word !== 0xffffffff) forbidUnset(logits, start, word);
  }
}

function forbidUnset(logits: Float32Array, start: number, word: number): void {
  const end = Math.min(start + 32, logits.length);
  for (let tokenId = start; tokenId < end; tokenId++)
    if (((word >>> (tokenId - start)) & 1) === 0) logits[tokenId] = -Infinity;
}
