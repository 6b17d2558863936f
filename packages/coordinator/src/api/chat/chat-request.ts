import { z } from 'zod';
import { type ChatRequest } from '../../generation/chat-request.js';
import { type RequestField } from '../../generation/request-field.js';
import { RequestError } from '../../generation/request-error.js';
import { constraintOf } from '../constraint-fields.js';
import { openAiFieldName } from '../field-names.js';
import { checkStreamFields, generationFields, toGenerationRequest } from '../generation-fields.js';
import { optional, unsupported } from '../parse-request.js';
import { reasoningEffort } from '../reasoning-effort.js';
import { chatMessages } from './chat-messages.js';
import { chatTool, chatToolChoice } from './chat-tools.js';

/** What makes the prompt, for POST /tokenize too. */
export const chatPromptFields = {
  messages: chatMessages,
  tools: optional(z.array(chatTool)),
  add_generation_prompt: optional(z.boolean()),
  continue_final_message: optional(z.boolean()),
  chat_template_kwargs: optional(z.record(z.string(), z.unknown())),
  documents: optional(z.array(z.record(z.string(), z.unknown()))),
  chat_template: optional(z.string()),
};

const thinkingFields = {
  reasoning_effort: optional(reasoningEffort),
  thinking_token_budget: optional(z.number()),
  include_reasoning: optional(z.boolean()),
};

/** Known from OpenAI's API, and not supported. */
const unsupportedFields = {
  service_tier: unsupported('auto', 'default'),
  store: unsupported(false),
  functions: unsupported([]),
  function_call: unsupported('none'),
  modalities: unsupported(['text']),
  verbosity: unsupported('medium'),
  audio: unsupported(),
  prediction: unsupported(),
  web_search_options: unsupported(),
};

export const chatRequestSchema = z.strictObject({
  ...generationFields,
  ...chatPromptFields,
  ...thinkingFields,
  ...unsupportedFields,
  max_completion_tokens: optional(z.number()),
  tool_choice: optional(chatToolChoice),
  parallel_tool_calls: optional(z.boolean()),
  logprobs: optional(z.boolean()),
  top_logprobs: optional(z.number()),
  echo: optional(z.boolean()),
  // Labels that change nothing in the answer.
  safety_identifier: optional(z.string()),
  prompt_cache_key: optional(z.string()),
  prompt_cache_retention: optional(z.string()),
});

export type ChatFields = z.infer<typeof chatRequestSchema>;

/** @throws RequestError naming the field at fault. */
export function toChatRequest(chat: ChatFields): ChatRequest {
  checkStreamFields(chat);
  const logprobs = logprobsOf(chat);
  return {
    ...toChatPrompt(chat),
    toolChoice: chat.tool_choice,
    parallelToolCalls: chat.parallel_tool_calls,
    thinking: { effort: chat.reasoning_effort, budgetTokens: budgetOf(chat) },
    constraint: constraintOf(chat)?.constraint,
    generation: toGenerationRequest({ ...chat, max_tokens: chat.max_completion_tokens ?? chat.max_tokens }, logprobs),
  };
}

type ChatPromptFields = Pick<ChatFields, keyof typeof chatPromptFields>;

/** The part that makes the prompt. */
export function toChatPrompt(chat: ChatPromptFields): ChatRequest {
  return {
    messages: chat.messages,
    tools: chat.tools,
    addGenerationPrompt: chat.add_generation_prompt ?? chat.continue_final_message !== true,
    continueFinalMessage: chat.continue_final_message,
    templateVariables: chat.chat_template_kwargs,
    chatTemplate: chat.chat_template,
    documents: chat.documents,
    generation: {},
  };
}

/** How this request calls a field that a refusal is about. */
export function chatFieldName(chat: ChatFields) {
  const asked = constraintOf(chat)?.field;
  const own: Partial<Record<RequestField, string>> = {
    prompt: 'messages',
    maxTokens: chat.max_completion_tokens === undefined ? 'max_tokens' : 'max_completion_tokens',
    logprobs: 'top_logprobs',
    constraint: asked ?? (chat.tools === undefined ? 'response_format' : 'tools'),
  };
  return (field: RequestField): string => own[field] ?? openAiFieldName(field);
}

/** vLLM writes "no limit" as -1. */
const budgetOf = ({ thinking_token_budget: budget }: ChatFields): number | undefined =>
  budget === -1 ? undefined : budget;

function logprobsOf({ logprobs, top_logprobs: top = 0 }: ChatFields): number | undefined {
  if (logprobs === true) return top;
  if (top === 0) return undefined;
  const message = 'top_logprobs has a meaning only with "logprobs": true; set that, or leave top_logprobs out';
  throw new RequestError('invalid_value', message, 'top_logprobs');
}
