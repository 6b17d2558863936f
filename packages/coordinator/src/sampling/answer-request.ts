import {
  type LogitControls,
  type LogprobsRequest,
  type SamplingParams,
  type ThinkingControl,
} from './sampling-params.js';

/** What of a sequence's request decides which tokens its answer has. */
export interface AnswerRequest {
  readonly promptTokenIds: readonly number[];
  readonly maxTokens: number;
  /** The answer begins with these. */
  readonly resumedTokenIds?: readonly number[] | undefined;
  readonly sampling: SamplingParams;
  readonly controls?: LogitControls | undefined;
  readonly thinking?: ThinkingControl | undefined;
  readonly logprobs?: LogprobsRequest | undefined;
  readonly stopTokenIds: readonly number[];
}
