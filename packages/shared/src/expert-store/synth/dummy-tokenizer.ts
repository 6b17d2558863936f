/** The special tokens of a Qwen3 chat that its template and its parsers rely on. */
const SPECIAL_TOKENS = [
  '<|endoftext|>',
  '<|im_start|>',
  '<|im_end|>',
  '<think>',
  '</think>',
  '<tool_call>',
  '</tool_call>',
  '<tool_response>',
  '</tool_response>',
] as const;

const NUM_BYTES = 256;

/** How Qwen's tokenizers split a text into words. */
const WORD_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|" +
  ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

// ChatML; thinking is switched off as Qwen3 does it, by an empty block.
const CHAT_TEMPLATE =
  "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + " +
  "'<|im_end|>\\n' }}{%- endfor %}" +
  "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}" +
  '{%- if enable_thinking is defined and enable_thinking is false %}' +
  "{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}";

interface DummyTokenizerFiles {
  /** The contents of tokenizer.json. */
  readonly tokenizer: unknown;
  /** The contents of tokenizer_config.json. */
  readonly tokenizerConfig: unknown;
  /** The contents of generation_config.json. */
  readonly generationConfig: unknown;
}

/**
 * A byte-level BPE without merges: a text becomes its bytes, tokens 0 to 255. The special tokens stand at
 * `firstSpecialId` and after it, as in the model that is imitated; every other id is filled with a token like
 * `<tok-1234>`, so that whatever is sampled can be shown.
 */
export function dummyTokenizer(vocabSize: number, firstSpecialId: number, maxLength: number): DummyTokenizerFiles {
  const addedTokens = SPECIAL_TOKENS.map((content, index) => ({
    id: firstSpecialId + index,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: content.startsWith('<|'),
  }));
  const endOfText = firstSpecialId;
  const endOfMessage = firstSpecialId + 2;
  return {
    tokenizer: tokenizerJson(vocabSize, addedTokens),
    tokenizerConfig: {
      add_bos_token: false,
      add_prefix_space: false,
      added_tokens_decoder: Object.fromEntries(addedTokens.map(({ id, ...token }) => [String(id), token])),
      bos_token: null,
      chat_template: CHAT_TEMPLATE,
      clean_up_tokenization_spaces: false,
      eos_token: '<|im_end|>',
      errors: 'replace',
      model_max_length: maxLength,
      pad_token: '<|endoftext|>',
      split_special_tokens: false,
      tokenizer_class: 'Qwen2Tokenizer',
      unk_token: null,
    },
    generationConfig: {
      bos_token_id: endOfText,
      do_sample: true,
      eos_token_id: [endOfMessage, endOfText],
      pad_token_id: endOfText,
      temperature: 0.6,
      top_k: 20,
      top_p: 0.95,
    },
  };
}

function tokenizerJson(vocabSize: number, addedTokens: readonly { readonly id: number }[]): unknown {
  const addedIds = new Set(addedTokens.map(({ id }) => id));
  const characters = byteCharacters();
  const ids = Array.from({ length: vocabSize }, (_, id) => id).filter((id) => !addedIds.has(id));
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens,
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: WORD_PATTERN }, behavior: 'Isolated', invert: false },
        byteLevel,
      ],
    },
    post_processor: byteLevel,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(ids.map((id) => [characters[id] ?? `<tok-${String(id)}>`, id])),
      merges: [],
    },
  };
}

/**
 * The characters that stand for the bytes in a byte-level BPE: printable ones for themselves, the others shifted past
 * U+0100.
 */
function byteCharacters(): string[] {
  const isPrintable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let numShifted = 0;
  return Array.from({ length: NUM_BYTES }, (_, byte) =>
    String.fromCodePoint(isPrintable(byte) ? byte : 0x100 + numShifted++),
  );
}
