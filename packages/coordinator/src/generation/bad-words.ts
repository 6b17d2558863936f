import { type Tokenizer } from '../text/tokenizer.js';

/**
 * The token sequences of texts that an answer must not have, as vLLM finds them
 * (`SamplingParams.update_from_tokenizer`, vllm/sampling_params.py): each word as it begins a text, and with a space
 * before it where that makes as many tokens with another first one.
 */
export async function badWordTokens(
  tokenizer: Tokenizer,
  badWords: readonly string[],
): Promise<readonly (readonly number[])[]> {
  const sequences: (readonly number[])[] = [];
  for (const badWord of badWords) {
    const word = badWord.trimStart();
    const alone = await tokenizer.encode(word);
    const afterSpace = await tokenizer.encode(` ${word}`);
    if (alone.length > 0) sequences.push(alone);
    if (afterSpace.length === alone.length && afterSpace[0] !== alone[0]) sequences.push(afterSpace);
  }
  return sequences;
}
