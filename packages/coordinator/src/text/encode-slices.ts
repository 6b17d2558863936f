/** Qwen2's pre-tokenizer, which Qwen3 keeps: each match is tokenised by itself. */
const QWEN2_PRE_TOKENIZER =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/**
 * Between a letter and whitespace or CJK punctuation. Qwen2's pre-tokenizer always starts a new match there, Unicode
 * composition (NFC) never crosses it, and no control token has such a place inside, so encoding both sides apart
 * gives the tokens of the whole.
 */
const BOUNDARY = /(?<=\p{L})(?=[\s，。、！？；：])/gu;

/** Whether `slicesOf` is right for this `pre_tokenizer` of tokenizer.json. */
export const isSliceable = (preTokenizer: unknown): boolean =>
  JSON.stringify(preTokenizer ?? null).includes(JSON.stringify({ Regex: QWEN2_PRE_TOKENIZER }));

/** Cuts text into pieces of about `sliceChars` characters whose encodings, joined, are the encoding of the whole. */
export function* slicesOf(text: string, sliceChars: number): Generator<string> {
  let start = 0;
  while (text.length - start > sliceChars) {
    BOUNDARY.lastIndex = start + sliceChars;
    const boundary = BOUNDARY.exec(text);
    if (boundary === null) break;
    yield text.slice(start, boundary.index);
    start = boundary.index;
  }
  yield text.slice(start);
}
