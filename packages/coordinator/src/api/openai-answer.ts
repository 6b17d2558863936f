import { answeringName, type ServedModel } from '../generation/served-model.js';
import { type TokenUsage } from '../generation/token-usage.js';

/** What is the same in a whole answer and in each of its chunks. */
export interface AnswerHead {
  readonly id: string;
  readonly createdAtSec: number;
  readonly model: string;
}

/** @param requested the name by which the request asks for the model */
export function newAnswerHead(id: string, model: ServedModel, requested?: string): AnswerHead {
  return {
    id,
    createdAtSec: Math.floor(Date.now() / 1000),
    model: answeringName(model, requested),
  };
}

/** `stream_options` of a request. */
export interface UsageOptions {
  /** Usage in a last chunk of its own. */
  readonly includeUsage: boolean;
  /** Usage so far in every chunk, too. */
  readonly continuous: boolean;
}

interface StreamOptionsField {
  readonly include_usage?: boolean | undefined;
  readonly continuous_usage_stats?: boolean | undefined;
}

export function toUsageOptions(streamOptions: StreamOptionsField | undefined): UsageOptions {
  const includeUsage = streamOptions?.include_usage ?? false;
  return { includeUsage, continuous: includeUsage && (streamOptions?.continuous_usage_stats ?? false) };
}

export function openAiHead({ id, createdAtSec, model }: AnswerHead, object: string) {
  return {
    id,
    object,
    created: createdAtSec,
    model,
  };
}

export function openAiUsage({ promptTokens, completionTokens, reasoningTokens, cachedTokens }: TokenUsage) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    ...(cachedTokens !== undefined && { prompt_tokens_details: { cached_tokens: cachedTokens } }),
    ...(reasoningTokens !== undefined && { completion_tokens_details: { reasoning_tokens: reasoningTokens } }),
  };
}

/** The `usage` member of a chunk: absent unless asked for, and null where it is not continuous. */
export function chunkUsage({ includeUsage, continuous }: UsageOptions, usage: TokenUsage): object {
  return includeUsage ? { usage: continuous ? openAiUsage(usage) : null } : {};
}
