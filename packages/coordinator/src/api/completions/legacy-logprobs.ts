import { type TokenLogprobs } from '../../sampling/sampling-params.js';
import { finite, tokenName, type TokenNames } from '../token-logprobs.js';

/** `logprobs` of a text completion: lists of equal length, with an entry a token. */
export interface LegacyLogprobs {
  readonly tokens: string[];
  /** null for the first token of a prompt. */
  readonly token_logprobs: (number | null)[];
  readonly top_logprobs: (Readonly<Record<string, number>> | null)[];
  /** Where the token begins in the text of the choice, in UTF-16 units. */
  readonly text_offset: number[];
}

/** Writes the tokens of one choice, piece by piece. */
export class LegacyLogprobsWriter {
  readonly #names: TokenNames;
  #textOffset = 0;

  constructor(names: TokenNames) {
    this.#names = names;
  }

  /** `tokens` have no log-probabilities where nothing comes before them. */
  write(tokens: readonly { readonly tokenId: number; readonly logprobs: TokenLogprobs | undefined }[]): LegacyLogprobs {
    const piece: LegacyLogprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
    for (const { tokenId, logprobs } of tokens) {
      piece.tokens.push(tokenName(this.#names, tokenId));
      piece.token_logprobs.push(logprobs === undefined ? null : finite(logprobs.logprob));
      piece.top_logprobs.push(logprobs === undefined ? null : this.#topOf(logprobs));
      piece.text_offset.push(this.#textOffset);
      this.#textOffset += this.#names.tokenizer.decode([tokenId]).length;
    }
    return piece;
  }

  /** The most likely tokens, and the token itself; of several that read alike the most likely one counts. */
  #topOf({ tokenId, logprob, top }: TokenLogprobs): Record<string, number> {
    const entries = [...top, { tokenId, logprob }].map((each) => [tokenName(this.#names, each.tokenId), each.logprob]);
    const found: Record<string, number> = {};
    for (const [name, value] of entries as [string, number][]) found[name] = Math.max(found[name] ?? -9999, value);
    return found;
  }
}

export function joinedLogprobs(pieces: readonly LegacyLogprobs[]): LegacyLogprobs {
  return {
    tokens: pieces.flatMap(({ tokens }) => tokens),
    token_logprobs: pieces.flatMap((piece) => piece.token_logprobs),
    top_logprobs: pieces.flatMap((piece) => piece.top_logprobs),
    text_offset: pieces.flatMap((piece) => piece.text_offset),
  };
}
