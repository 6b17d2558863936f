import { type TokenLogprobs } from '../sampling/sampling-params.js';
import { type FinishReason, type SequenceRequest } from './engine-client.js';

/** A token that was chosen. */
export interface SampledToken {
  readonly tokenId: number;
  readonly finishReason?: FinishReason | undefined;
  readonly logprobs?: TokenLogprobs | undefined;
}

/** Chooses the tokens of one answer and keeps what that depends on, also while the answer has no place. */
export interface TokenSampler {
  /** @param logits fp32 [vocab]; changed in place. */
  next(logits: Float32Array): SampledToken;
  /** At most `maxTokens` tokens that must come next, where there is no choice. */
  forced(maxTokens: number): readonly number[];
}

export type SamplerFactory = (request: SequenceRequest, seed: number) => TokenSampler;

/**
 * The log-probability of a token of the prompt.
 *
 * @param logits fp32 [vocab]: what was predicted in its place
 */
export type PromptScorer = (logits: Float32Array, tokenId: number, numTop: number) => TokenLogprobs;
