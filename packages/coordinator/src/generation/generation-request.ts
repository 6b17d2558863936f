import { type Constraint } from '../sampling/grammar/constraint.js';
import { type ThinkingControl } from '../sampling/sampling-params.js';
import { type SamplingOverrides } from './sampling-overrides.js';

/** What every way in (chat, completions, gRPC) asks for, before defaults and limits. Absent fields change nothing. */
export interface GenerationRequest {
  readonly promptTokenIds: readonly number[];
  /** Keep only so many tokens of the prompt, its last; -1 keeps as many as the context length allows. */
  readonly truncatePromptTokens?: number | undefined;
  /** Absent means as many as fit; 0 only with `promptLogprobs`. */
  readonly maxTokens?: number | undefined;
  /** Tokens of the answer that the client has from another coordinator, or another time: it goes on after them. */
  readonly resumedTokenIds?: readonly number[] | undefined;
  /** Nothing ends the answer before it has so many. */
  readonly minTokens?: number | undefined;
  readonly sampling?: SamplingOverrides | undefined;
  /** Added to the logit of a token, by token id. */
  readonly logitBias?: ReadonlyMap<number, number> | undefined;
  /** Texts that the answer must not have. */
  readonly badWords?: readonly string[] | undefined;
  readonly allowedTokenIds?: readonly number[] | undefined;
  /** So many of the most likely tokens beside each token of the answer; 0 for the token's own log-probability alone. */
  readonly logprobs?: number | undefined;
  /** The same for the tokens of the prompt. */
  readonly promptLogprobs?: number | undefined;
  /** 1 if absent. */
  readonly numAnswers?: number | undefined;
  /**
   * So many are generated, and the `numAnswers` of the highest mean log-probability are returned, when all have ended.
   */
  readonly bestOf?: number | undefined;
  /** Deltas are wanted as they come, which the best of several answers cannot. */
  readonly isStreamed?: boolean | undefined;
  readonly constraint?: Constraint | undefined;
  readonly thinking?: ThinkingControl | undefined;
  /** Lower is served first. */
  readonly priority?: number | undefined;
  readonly tenant?: string | undefined;
  readonly cacheSalt?: string | undefined;
  readonly timeoutMs?: number | undefined;
  readonly stopStrings?: readonly string[] | undefined;
  readonly stopTokenIds?: readonly number[] | undefined;
  /** The tokens by which the model itself ends are tokens like others. */
  readonly ignoreEos?: boolean | undefined;
  /** The text keeps the stop string, or the text of the stop token, at which it ended. */
  readonly includeStop?: boolean | undefined;
  /** True if absent. */
  readonly skipSpecialTokens?: boolean | undefined;
}
