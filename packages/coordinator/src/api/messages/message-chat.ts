import { type ChatRequest } from '../../generation/chat-request.js';
import { RequestError } from '../../generation/request-error.js';
import { type RequestField } from '../../generation/request-field.js';
import { type TemplateMessage } from '../../text/template-message.js';
import { readCarriedThinking } from '../carried-thinking.js';
import { openAiFieldName } from '../field-names.js';
import { type InputMessage, type MessageBlock } from './message-content.js';
import { type MessagePrompt, type MessageRequest, toThinkingRequest } from './message-request.js';
import { allowsParallelCalls, toToolChoice } from './message-tools.js';

/** What makes the prompt of a request, in the neutral form; an answer that the messages have begun goes on. */
export function toChatPrompt(prompt: MessagePrompt): ChatRequest {
  const { messages, system, tools, tool_choice: choice, output_config: config } = prompt;
  const goesOn = messages.at(-1)?.role === 'assistant';
  if (goesOn) refuseOpenCalls(messages);
  const format = config?.format;
  return {
    messages: [
      ...(system === undefined || system === '' ? [] : [{ role: 'system', content: system } as const]),
      ...messages.flatMap(toTemplateMessages),
    ],
    tools,
    toolChoice: toToolChoice(choice),
    parallelToolCalls: allowsParallelCalls(choice),
    thinking: toThinkingRequest(prompt),
    ...(goesOn && { addGenerationPrompt: false, continueFinalMessage: true }),
    ...(format !== undefined && { constraint: { kind: 'json_schema', schema: format.schema } }),
    generation: {},
  };
}

/** A whole request in the neutral form. */
export function toChatRequest(request: MessageRequest): ChatRequest {
  return {
    ...toChatPrompt(request),
    generation: {
      maxTokens: request.max_tokens,
      sampling: { temperature: request.temperature, topP: request.top_p, topK: request.top_k },
      stopStrings: request.stop_sequences,
    },
  };
}

/** How this dialect calls what a refusal is about. */
export function messageFieldName(field: RequestField): string {
  return NAMES[field] ?? openAiFieldName(field);
}

const NAMES: Partial<Record<RequestField, string>> = {
  prompt: 'messages',
  stopStrings: 'stop_sequences',
  constraint: 'output_config.format',
  parallelToolCalls: 'tool_choice.disable_parallel_tool_use',
  thinkingMode: 'thinking.type',
  thinkingBudget: 'thinking.budget_tokens',
  reasoningEffort: 'output_config.effort',
  continueFinalMessage: 'messages',
};

function refuseOpenCalls(messages: readonly InputMessage[]): void {
  if (!messages.at(-1)?.content.some(({ type }) => type === 'tool_use')) return;
  const param = `messages[${String(messages.length - 1)}]`;
  const message = `${param} ends with a tool_use: send its tool_result as a message of the user`;
  throw new RequestError('invalid_value', message, param);
}

function toTemplateMessages({ role, content }: InputMessage): TemplateMessage[] {
  if (role === 'assistant') return [toAssistantMessage(content)];
  return toTurns(content).map((turn): TemplateMessage => {
    if (turn.kind === 'text') return { role, content: turn.texts.join('\n') };
    const { tool_use_id: id, content: result = '', is_error: isError } = turn.result;
    // Templates have no place for a failed call; the model reads it in the text.
    return { role: 'tool', tool_call_id: id, content: isError === true ? `Error: ${result}` : result };
  });
}

type ToolResult = Extract<MessageBlock, { readonly type: 'tool_result' }>;
type Turn =
  | { readonly kind: 'text'; readonly texts: readonly string[] }
  | { readonly kind: 'result'; readonly result: ToolResult };

/** Results each for themselves, and the texts between them, in their order. */
function toTurns(content: readonly MessageBlock[]): readonly Turn[] {
  return content.reduce<readonly Turn[]>((turns, block) => {
    if (block.type === 'tool_result') return [...turns, { kind: 'result', result: block }];
    if (block.type !== 'text') return turns;
    const last = turns.at(-1);
    if (last?.kind !== 'text') return [...turns, { kind: 'text', texts: [block.text] }];
    return [...turns.slice(0, -1), { kind: 'text', texts: [...last.texts, block.text] }];
  }, []);
}

function toAssistantMessage(content: readonly MessageBlock[]): TemplateMessage {
  const thinking = content.flatMap((block) => (block.type === 'thinking' ? [thinkingOf(block)] : [])).join('\n');
  const calls = content.flatMap((block) =>
    block.type === 'tool_use'
      ? [{ id: block.id, type: 'function' as const, function: { name: block.name, arguments: block.input } }]
      : [],
  );
  return {
    role: 'assistant',
    content: content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('\n'),
    ...(thinking !== '' && { reasoning_content: thinking }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

const thinkingOf = ({ thinking, signature = '' }: Extract<MessageBlock, { readonly type: 'thinking' }>): string =>
  thinking || (readCarriedThinking(signature) ?? '');
