import { type ChatRequest } from '../../generation/chat-request.js';
import { RequestError } from '../../generation/request-error.js';
import { type RequestField } from '../../generation/request-field.js';
import { openAiFieldName } from '../field-names.js';
import { samplingOf } from '../generation-fields.js';
import { type ConversationItem, type InputItem } from './input-items.js';
import { toTemplateMessages } from './input-messages.js';
import { type ResponseRequest } from './response-request.js';
import { type ResponseStore } from './response-store.js';

/** A response request in the neutral form; `items` is the conversation that `request` continues, and its own input. */
export function toChatRequest(request: ResponseRequest, items: readonly ConversationItem[]): ChatRequest {
  const { instructions, reasoning } = request;
  return {
    messages: [
      ...(instructions === undefined ? [] : [{ role: 'system', content: instructions } as const]),
      ...toTemplateMessages(items),
    ],
    tools: request.tools,
    toolChoice: request.tool_choice,
    parallelToolCalls: request.parallel_tool_calls,
    thinking: { effort: reasoning?.effort },
    templateVariables: request.chat_template_kwargs,
    constraint: request.text?.format?.constraint,
    generation: {
      maxTokens: request.max_output_tokens,
      sampling: samplingOf(request),
      cacheSalt: request.cache_salt,
      priority: request.priority,
    },
  };
}

/**
 * The input with each reference replaced by its item.
 *
 * @throws RequestError for an item that is not held, or stands twice.
 */
export function resolveReferences(
  input: readonly InputItem[],
  store: ResponseStore,
  owner: string | undefined,
): ConversationItem[] {
  const wanted = input.flatMap((item) => (item.type === 'item_reference' ? [item.id] : []));
  const held = store.items(new Set(wanted), owner);
  return input.map((item, index) => {
    if (item.type !== 'item_reference') return item;
    const found = held.get(item.id);
    // What is taken is not there a second time: a short request could otherwise stand for a conversation without end.
    held.delete(item.id);
    if (found !== undefined) return found;
    const isTwice = wanted.indexOf(item.id) < wanted.lastIndexOf(item.id);
    const message = isTwice ? `The item ${item.id} stands twice` : `No item ${item.id} is held: send the item itself`;
    throw new RequestError('invalid_value', message, `input[${String(index)}].id`);
  });
}

/** How this dialect calls what a refusal is about. */
export function responseFieldName(field: RequestField): string {
  return NAMES[field] ?? openAiFieldName(field);
}

const NAMES: Partial<Record<RequestField, string>> = {
  prompt: 'input',
  maxTokens: 'max_output_tokens',
  constraint: 'text.format',
  thinkingBudget: 'reasoning.effort',
  reasoningEffort: 'reasoning.effort',
};
