import { type TokenUsage } from '../../generation/token-usage.js';
import { type SamplingParams } from '../../sampling/sampling-params.js';
import { type AnswerHead } from '../openai-answer.js';
import { type OutputItem } from './output-items.js';
import { type ResponseRequest } from './response-request.js';

export interface ResponseObject {
  readonly id: string;
  readonly object: 'response';
  readonly status: ResponseState['status'];
  readonly output: readonly OutputItem[];
  readonly [field: string]: unknown;
}

export type ResponseState =
  | { readonly status: 'in_progress' }
  | { readonly status: 'completed' | 'incomplete'; readonly usage: TokenUsage }
  | { readonly status: 'failed'; readonly error: { readonly code: string; readonly message: string } };

/** What a response says of its request. */
export interface ResponseHead extends AnswerHead {
  readonly request: ResponseRequest;
  /** As the request's tools and their choice came. */
  readonly body: { readonly tools?: unknown; readonly tool_choice?: unknown };
  readonly defaults: Omit<SamplingParams, 'seed'>;
}

/** A response in OpenAI's form. */
export function responseObject(
  head: ResponseHead,
  output: readonly OutputItem[],
  state: ResponseState,
): ResponseObject {
  return {
    id: head.id,
    object: 'response',
    created_at: head.createdAtSec,
    model: head.model,
    status: state.status,
    background: false,
    completed_at: state.status === 'completed' ? Math.floor(Date.now() / 1000) : null,
    error: state.status === 'failed' ? state.error : null,
    incomplete_details: state.status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
    output,
    usage: 'usage' in state ? usageOf(state.usage) : null,
    ...requestFields(head),
  };
}

function requestFields({ request, body, defaults }: ResponseHead): object {
  const { reasoning } = request;
  return {
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    max_tool_calls: request.max_tool_calls ?? null,
    metadata: request.metadata ?? {},
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    previous_response_id: request.previous_response_id ?? null,
    prompt_cache_key: request.prompt_cache_key ?? null,
    reasoning: {
      effort: reasoning?.effort ?? null,
      summary: reasoning?.summary ?? reasoning?.generate_summary ?? null,
    },
    safety_identifier: request.safety_identifier ?? null,
    service_tier: 'default',
    store: request.store ?? true,
    temperature: request.temperature ?? defaults.temperature,
    text: { format: request.text?.format?.shown ?? { type: 'text' }, verbosity: 'medium' },
    tool_choice: body.tool_choice ?? 'auto',
    tools: body.tools ?? [],
    top_logprobs: 0,
    top_p: request.top_p ?? defaults.topP,
    truncation: 'disabled',
    ...(request.user !== undefined && { user: request.user }),
  };
}

function usageOf({ promptTokens, completionTokens, reasoningTokens = 0, cachedTokens = 0 }: TokenUsage): object {
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens },
    output_tokens: completionTokens,
    output_tokens_details: { reasoning_tokens: reasoningTokens },
    total_tokens: promptTokens + completionTokens,
  };
}
