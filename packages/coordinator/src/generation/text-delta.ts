import { type FinishReason } from '../engine/engine-client.js';
import { type TokenLogprobs } from '../sampling/sampling-params.js';

/** A stop string, or the id of a stop token. */
export type StopReason = string | number;

/** What comes once, on the first delta of a request. */
interface PromptNews {
  /** The prompt that was computed: the end of the request's, where that was truncated. */
  readonly promptTokenIds?: readonly number[];
  /** Of each token of the prompt, where they were asked for; the first has none. */
  readonly promptLogprobs?: readonly (TokenLogprobs | undefined)[];
  /** Tokens of the prompt that were computed before this request. */
  readonly cachedTokens?: number;
  /** Tokens of answers that are not returned, because others of `bestOf` were better. */
  readonly unreturnedTokens?: number;
}

/** What has been added to one answer. */
export interface TextDelta extends PromptNews {
  readonly answerIndex: number;
  /** New tokens; they may have completed no text yet. */
  readonly tokenIds: readonly number[];
  readonly text: string;
  /** Of `tokenIds`, where they were asked for. */
  readonly logprobs?: readonly TokenLogprobs[];
  /** Set on the last delta of an answer only. */
  readonly finishReason?: FinishReason;
  /** The stop string or stop token at which the answer ended, if it was one that the request names. */
  readonly stopReason?: StopReason;
}
