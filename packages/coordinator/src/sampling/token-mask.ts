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
  const numWords = Math.ceil(logits.length / 32);
  for (let word = 0; word < numWords; word++) {
    const first = word;
    while (word < numWords && (mask[word] ?? 0) === 0) word += 1;
    if (word > first) logits.fill(-Infinity, 32 * first, 32 * word);
    if (word < numWords) forbidUnset(logits, 32 * word, ~(mask[word] ?? 0));
  }
}

// Goes from bit to bit. Bits beyond the vocabulary fall beyond the array, where a write does nothing.
function forbidUnset(logits: Float32Array, start: number, unset: number): void {
  for (let rest = unset; rest !== 0; rest &= rest - 1) logits[start + 31 - Math.clz32(rest & -rest)] = -Infinity;
}
