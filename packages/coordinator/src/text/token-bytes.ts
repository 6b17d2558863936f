import { z } from 'zod';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/** The parts of tokenizer.json that are read besides the library. */
export const vocabularySchema = z.object({
  model: z.object({ vocab: z.record(z.string(), z.number().int().nonnegative()) }),
  added_tokens: z.array(z.object({ id: z.number().int().nonnegative(), content: z.string(), special: z.boolean() })),
  pre_tokenizer: z.unknown().optional(),
  decoder: z.object({ type: z.string() }).nullish(),
});

export type Vocabulary = z.infer<typeof vocabularySchema>;

/**
 * The UTF-8 bytes of every token of a byte-level vocabulary. A token may end in the middle of a character, so bytes are
 * the only form in which tokens can be joined one by one.
 *
 * @throws ExpertmeshError `unimplemented` when the tokenizer is not byte-level.
 */
export class TokenBytes {
  /** Of all tokens, one after the other: an array for each would be 32 MB that every collection of garbage looks at. */
  readonly #bytes: Uint8Array;
  /** Where the bytes of a token begin; the last entry is the end. Int32[number of ids + 1]. */
  readonly #starts: Int32Array;

  constructor(vocabulary: Vocabulary) {
    const decoderType = vocabulary.decoder?.type ?? 'none';
    if (decoderType !== 'ByteLevel') {
      throw new ExpertmeshError(
        'unimplemented',
        `tokenizer.json has decoder ${decoderType}; only ByteLevel, which every Qwen3 tokenizer has, is supported`,
      );
    }
    const byId = bytesById(vocabulary);
    this.#bytes = new Uint8Array(byId.reduce((sum, bytes) => sum + (bytes?.length ?? 0), 0));
    this.#starts = new Int32Array(byId.length + 1);
    let start = 0;
    for (const [id, bytes] of byId.entries()) {
      this.#bytes.set(bytes ?? NO_BYTES, start);
      start += bytes?.length ?? 0;
      this.#starts[id + 1] = start;
    }
  }

  /** Empty for ids that no token has: models pad their vocabulary. */
  get(tokenId: number): Uint8Array {
    const end = this.#starts[tokenId + 1];
    return end === undefined ? NO_BYTES : this.#bytes.subarray(this.#starts[tokenId], end);
  }
}

const NO_BYTES = new Uint8Array(0);

function bytesById({ model, added_tokens: addedTokens }: Vocabulary): (Uint8Array | undefined)[] {
  const byteOf = byteOfCharacter();
  const encoder = new TextEncoder();
  const table: (Uint8Array | undefined)[] = [];
  for (const [token, id] of Object.entries(model.vocab)) {
    const bytes = Array.from(token, (character) => byteOf.get(character));
    table[id] = bytes.includes(undefined) ? encoder.encode(token) : Uint8Array.from(bytes as number[]);
  }
  for (const { id, content } of addedTokens) table[id] = encoder.encode(content);
  return table;
}

/**
 * GPT-2's map of bytes to printable characters, the other way round: printable Latin-1 stands for itself, and the other
 * bytes, in order, for U+0100 and up (`bytes_to_unicode` in openai/gpt-2, src/encoder.py).
 */
function byteOfCharacter(): ReadonlyMap<string, number> {
  const isPrintable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  const map = new Map<string, number>();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) map.set(String.fromCharCode(isPrintable(byte) ? byte : next++), byte);
  return map;
}
