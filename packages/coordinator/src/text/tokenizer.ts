import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import * as huggingFace from '@huggingface/tokenizers';
import { z } from 'zod';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { isSliceable, slicesOf } from './encode-slices.js';
import { type EncodeText } from './long-texts/long-texts.js';
import { TokenBytes, type Vocabulary, vocabularySchema } from './token-bytes.js';

export interface DecodeOptions {
  /** Leave control tokens such as `<|im_end|>` out of the text. */
  readonly skipSpecialTokens?: boolean;
}

/** A vocabulary without what encodes text, which takes a hundred times the memory. */
export interface TokenTable {
  /** UTF-8 bytes of a token; they may end in the middle of a character. */
  bytesOf(tokenId: number): Uint8Array;
  isSpecial(tokenId: number): boolean;
  readonly eosTokenId: number | undefined;
}

/** Text to token ids and back, as Hugging Face's fast tokenizers do it. */
export interface Tokenizer extends TokenTable {
  /** Control tokens written out in the text become those tokens, as in transformers. */
  encode(text: string): Promise<number[]>;
  /** Bytes of the longest token: a text of more than that for each token of a context does not fit it. */
  readonly maxTokenBytes: number;
  /** As `encode`, at once: for texts of a few thousand characters at most. */
  encodeShort(text: string): readonly number[];
  decode(tokenIds: readonly number[], options?: DecodeOptions): string;
  idOf(token: string): number | undefined;
  /** Contents of bos_token, eos_token and so on, for chat templates. */
  readonly specialTokens: Readonly<Record<string, string>>;
}

/** Characters that are encoded without a pause, some milliseconds of work: health checks wait no longer than that. */
const SLICE_CHARS = 4096;

/** Longer texts, and longer pieces that cannot be cut, are left to `encodeLong`. */
const MAX_TEXT_CHARS = 8 * SLICE_CHARS;
const MAX_PIECE_CHARS = 2 * SLICE_CHARS;

/** What is used of the library; its own declarations do not resolve for ES modules. */
interface HuggingFaceTokenizer {
  encode(text: string): { readonly ids: readonly number[] };
  token_to_id(token: string): number | undefined;
}

const HuggingFaceTokenizer = huggingFace.Tokenizer as unknown as new (
  tokenizerJson: object,
  tokenizerConfig: object,
) => HuggingFaceTokenizer;

const SPECIAL_TOKEN_NAMES = ['bos_token', 'eos_token', 'pad_token', 'unk_token'] as const;

const specialToken = z
  .union([z.string(), z.object({ content: z.string() }).transform(({ content }) => content)])
  .nullish();

const tokenizerConfigSchema = z.looseObject({
  bos_token: specialToken,
  eos_token: specialToken,
  pad_token: specialToken,
  unk_token: specialToken,
  clean_up_tokenization_spaces: z.literal(false).nullish(),
});

interface TokenizerFiles {
  readonly tokenizerJson: object;
  readonly vocabulary: Vocabulary;
  readonly config: z.infer<typeof tokenizerConfigSchema>;
}

/**
 * Reads tokenizer.json and tokenizer_config.json of a model directory.
 *
 * @throws ExpertmeshError `not_found` when a file is missing, `invalid_argument` when one is not understood, and
 * `unimplemented` when the tokenizer is of another kind than Qwen3's.
 * @param encodeLong gets what would keep this thread; absent where nobody else waits for it
 */
export async function loadTokenizer(modelDir: string, encodeLong?: EncodeText): Promise<Tokenizer> {
  const files = await readTokenizerFiles(modelDir);
  const { vocabulary, config } = files;
  const table = tableOf(files);
  const library = new HuggingFaceTokenizer(files.tokenizerJson, config);
  const addedTokens = vocabulary.added_tokens.map(({ content }) => content);
  const sliceChars = isSliceable(vocabulary.pre_tokenizer, addedTokens) ? SLICE_CHARS : Infinity;

  return {
    ...table,
    encode: (text) =>
      encodeLong !== undefined && isLong(text, sliceChars)
        ? encodeLong(text)
        : encodeInSlices(library, text, sliceChars),
    maxTokenBytes: maxTokenBytes(vocabulary),
    encodeShort: (text) => library.encode(text).ids,
    decode: (tokenIds, { skipSpecialTokens = false } = {}) =>
      decodeBytes(
        (skipSpecialTokens ? tokenIds.filter((id) => !table.isSpecial(id)) : tokenIds).map((id) => table.bytesOf(id)),
      ),
    idOf: (token) => library.token_to_id(token),
    specialTokens: Object.fromEntries(
      SPECIAL_TOKEN_NAMES.flatMap((name) => (config[name] ? [[name, config[name]]] : [])),
    ),
  };
}

/** The same files for their tokens alone. Errors as loadTokenizer. */
export async function loadTokenTable(modelDir: string): Promise<TokenTable> {
  return tableOf(await readTokenizerFiles(modelDir));
}

async function readTokenizerFiles(modelDir: string): Promise<TokenizerFiles> {
  const tokenizerPath = join(modelDir, 'tokenizer.json');
  const tokenizerJson = await readJson(tokenizerPath);
  const vocabulary = parse(vocabularySchema, tokenizerJson, tokenizerPath);
  const configPath = join(modelDir, 'tokenizer_config.json');
  return { tokenizerJson, vocabulary, config: parse(tokenizerConfigSchema, await readJson(configPath), configPath) };
}

// What these functions refer to stays in memory: nothing of the vocabulary but its bytes may be in their scope.
function tableOf({ vocabulary, config: { eos_token: eosToken } }: TokenizerFiles): TokenTable {
  const tokenBytes = new TokenBytes(vocabulary);
  const specialIds = new Set(vocabulary.added_tokens.filter(({ special }) => special).map(({ id }) => id));
  return {
    bytesOf: (tokenId) => tokenBytes.get(tokenId),
    isSpecial: (tokenId) => specialIds.has(tokenId),
    eosTokenId: eosToken ? idIn(vocabulary, eosToken) : undefined,
  };
}

function idIn({ added_tokens: added, model }: Vocabulary, token: string): number | undefined {
  return added.find(({ content }) => content === token)?.id ?? model.vocab[token];
}

function isLong(text: string, sliceChars: number): boolean {
  if (text.length > MAX_TEXT_CHARS) return true;
  for (const piece of slicesOf(text, sliceChars)) if (piece.length > MAX_PIECE_CHARS) return true;
  return false;
}

/** In the vocabulary every byte of a token is a character; added tokens are texts. */
function maxTokenBytes({ added_tokens: added, model }: Vocabulary): number {
  let maxBytes = 1;
  for (const token of Object.keys(model.vocab)) maxBytes = Math.max(maxBytes, token.length);
  return added.reduce((max, { content }) => Math.max(max, Buffer.byteLength(content)), maxBytes);
}

async function encodeInSlices(library: HuggingFaceTokenizer, text: string, sliceChars: number): Promise<number[]> {
  const tokenIds: number[] = [];
  for (const slice of slicesOf(text, sliceChars)) {
    if (tokenIds.length > 0) await nextTurn();
    for (const id of library.encode(slice).ids) tokenIds.push(id);
  }
  return tokenIds;
}

const decodeBytes = (pieces: readonly Uint8Array[]): string =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(pieces));

async function readJson(path: string): Promise<object> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ExpertmeshError('not_found', `Cannot read ${path}: a model directory needs it`, { cause });
  });
  try {
    return JSON.parse(text) as object;
  } catch (cause) {
    throw new ExpertmeshError('invalid_argument', `${path} is not JSON: ${String(cause)}`, { cause });
  }
}

function parse<T>(schema: z.ZodType<T>, json: object, path: string): T {
  const { success, data, error } = schema.safeParse(json);
  if (success) return data;
  throw new ExpertmeshError('invalid_argument', `${path} is not understood: ${z.prettifyError(error)}`);
}
