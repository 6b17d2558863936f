import { type TokenLogprob, type TokenLogprobs } from '../sampling/sampling-params.js';
import { type Tokenizer } from '../text/tokenizer.js';

/** How tokens stand in an answer. */
export interface TokenNames {
  readonly tokenizer: Tokenizer;
  /** As `token_id:N` instead of text, which several tokens may share. */
  readonly asIds: boolean;
}

export function tokenName({ tokenizer, asIds }: TokenNames, tokenId: number): string {
  return asIds ? `token_id:${String(tokenId)}` : tokenizer.decode([tokenId]);
}

/** An entry of a chat's `logprobs.content`. */
export function chatLogprobs(names: TokenNames, token: TokenLogprobs): object {
  return { ...chatLogprob(names, token), top_logprobs: token.top.map((top) => chatLogprob(names, top)) };
}

const chatLogprob = (names: TokenNames, { tokenId, logprob }: TokenLogprob): object => ({
  token: tokenName(names, tokenId),
  logprob: finite(logprob),
  bytes: [...names.tokenizer.bytesOf(tokenId)],
});

/** vLLM's `prompt_logprobs`: for each token of the prompt what is known of it, by token id; null for the first. */
export function promptLogprobs(names: TokenNames, tokens: readonly (TokenLogprobs | undefined)[]): unknown[] {
  return tokens.map((token) => {
    if (token === undefined) return null;
    const ranked = token.top.map((top, index) => [top.tokenId, entryOf(names, top, index + 1)] as const);
    return Object.fromEntries([...ranked, [token.tokenId, entryOf(names, token, token.rank)] as const]);
  });
}

const entryOf = ({ tokenizer }: TokenNames, { tokenId, logprob }: TokenLogprob, rank: number): object => ({
  logprob: finite(logprob),
  rank,
  decoded_token: tokenizer.decode([tokenId]),
});

/** JSON has no infinity; OpenAI and vLLM write what is impossible as this. */
export function finite(logprob: number): number {
  return Math.max(logprob, -9999);
}
