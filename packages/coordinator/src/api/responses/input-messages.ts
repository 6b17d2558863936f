import { type TemplateMessage, type TemplateToolCall } from '../../text/template-message.js';
import { readCarriedThinking } from '../carried-thinking.js';
import { type ConversationItem } from './input-items.js';

/** Items as the chat template takes them: what one answer was made of becomes one message of the assistant. */
export function toTemplateMessages(items: readonly ConversationItem[]): TemplateMessage[] {
  const messages: TemplateMessage[] = [];
  let answer: Answer | undefined;
  for (const item of items) {
    const isOfAnswer = belongsToAnswer(item);
    if (answer !== undefined && (!isOfAnswer || !fits(answer, item))) {
      messages.push(toMessage(answer));
      answer = undefined;
    }
    if (isOfAnswer) answer = grown(answer ?? { calls: [] }, item);
    else messages.push(...toMessages(item));
  }
  return answer === undefined ? messages : [...messages, toMessage(answer)];
}

interface Answer {
  readonly thinking?: string;
  readonly content?: string;
  readonly calls: readonly TemplateToolCall[];
}

const belongsToAnswer = (item: ConversationItem): boolean =>
  item.type === 'reasoning' || item.type === 'function_call' || (item.type === 'message' && item.role === 'assistant');

/** Whether an item may stand in an answer after what it has: thinking, then text, then calls. */
function fits({ content, calls }: Answer, { type }: ConversationItem): boolean {
  if (type === 'function_call') return true;
  return content === undefined && calls.length === 0;
}

function grown(answer: Answer, item: ConversationItem): Answer {
  switch (item.type) {
    case 'reasoning':
      return { ...answer, thinking: [answer.thinking ?? [], thinkingOf(item)].flat().join('\n') };
    case 'function_call': {
      const { call_id: id, name, arguments: args } = item;
      return { ...answer, calls: [...answer.calls, { id, type: 'function', function: { name, arguments: args } }] };
    }
    case 'message':
      return { ...answer, content: item.content };
    case 'function_call_output':
      return answer;
  }
}

/** The thinking itself, or else what an answer carried it in. */
function thinkingOf(item: Extract<ConversationItem, { readonly type: 'reasoning' }>): string {
  const { content, encrypted_content: carried = '', summary } = item;
  const joined = (parts: typeof content): string => (parts ?? []).map(({ text }) => text).join('\n');
  const candidates = [joined(content), readCarriedThinking(carried) ?? '', joined(summary)];
  return candidates.find((text) => text !== '') ?? '';
}

function toMessage({ thinking, content, calls }: Answer): TemplateMessage {
  return {
    role: 'assistant',
    content: content ?? '',
    ...(thinking && { reasoning_content: thinking }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

function toMessages(item: ConversationItem): TemplateMessage[] {
  if (item.type === 'function_call_output') return [{ role: 'tool', content: item.output, tool_call_id: item.call_id }];
  if (item.type !== 'message') return [];
  return [{ role: item.role === 'user' ? 'user' : 'system', content: item.content }];
}
