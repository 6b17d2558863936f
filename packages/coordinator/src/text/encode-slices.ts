/** Qwen2's pre-tokenizer, which Qwen3 keeps: each match is tokenised by itself. */
const QWEN2_PRE_TOKENIZER =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| " +
  '?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

/**
 * Between a letter or a digit and whitespace or CJK punctuation, and between two digits. Qwen2's pre-tokenizer, which
 * takes digits one by one, always starts a new match there, and Unicode composition (NFC) never crosses it, so encoding
 * both sides apart gives the tokens of the whole.
 */
const BOUNDARY = /(?<=[\p{L}\p{N}])(?=[\s，。、！？；：])|(?<=\p{N})(?=\p{N})/gu;

/**
 * Whether `slicesOf` is right for a tokenizer.json with this `pre_tokenizer`: a pattern that takes digits in groups,
 * say, would have matches that go on over a boundary, and so would an added token such as `<|reserved_12|>`.
 */
export function isSliceable(preTokenizer: unknown, addedTokens: readonly string[]): boolean {
  return (
    JSON.stringify(preTokenizer ?? null).includes(JSON.stringify({ Regex: QWEN2_PRE_TOKENIZER })) &&
    addedTokens.every((token) => token.search(BOUNDARY) < 0)
  );
}

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
