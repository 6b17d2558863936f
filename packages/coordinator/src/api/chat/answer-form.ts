import { keptPrompt } from '../../generation/prompt-limits.js';
import { type ChatGeneration } from '../../generation/generate-chat.js';
import { type ServedModel } from '../../generation/served-model.js';
import { type AnswerHead, newAnswerHead, toUsageOptions, type UsageOptions } from '../openai-answer.js';
import { type TokenNames } from '../token-logprobs.js';
import { type ChatFields } from './chat-request.js';

/** How a chat request wants its answers written. */
export interface ChatAnswerForm {
  readonly head: AnswerHead;
  readonly names: TokenNames;
  readonly usageOptions: UsageOptions;
  readonly role: string;
  /** Stands before the content: the last message, where the answer goes on with it and the request wants it back. */
  readonly echo: string;
  readonly showsReasoning: boolean;
  readonly showsLogprobs: boolean;
  readonly showsTokenIds: boolean;
  readonly promptTokenIds: readonly number[];
}

/** @param requestId of the request, unless it brings one */
export function chatAnswerForm(
  model: ServedModel,
  chat: ChatFields,
  { request }: ChatGeneration,
  requestId: string,
): ChatAnswerForm {
  const last = chat.messages.at(-1);
  const isNewMessage = chat.add_generation_prompt ?? chat.continue_final_message !== true;
  const role = isNewMessage ? 'assistant' : (last?.role ?? 'assistant');
  return {
    head: newAnswerHead(`chatcmpl-${chat.request_id ?? requestId}`, model, chat.model),
    names: { tokenizer: model.tokenizer, asIds: chat.return_tokens_as_token_ids ?? false },
    usageOptions: toUsageOptions(chat.stream_options),
    role,
    echo: chat.echo === true && last?.role === role ? last.content : '',
    showsReasoning: chat.include_reasoning ?? true,
    showsLogprobs: chat.logprobs ?? false,
    showsTokenIds: chat.return_token_ids ?? false,
    promptTokenIds: keptPrompt(request, model.engine.limits.maxModelLen),
  };
}
