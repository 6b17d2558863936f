import {
  type Chat,
  type GenerateRequest,
  type Message,
  type Thinking,
  type Tool,
  type ToolChoice as ToolChoiceMessage,
} from '@expertmesh/shared/gen/expertmesh/v1/inference';
import {
  type ChatRequest,
  type ReasoningEffort,
  type ThinkingRequest,
  type ToolChoice,
  type ToolDefinition,
} from '../generation/chat-request.js';
import { RequestError } from '../generation/request-error.js';
import { type TemplateMessage } from '../text/template-message.js';
import { constraintOf, generationFieldsOf } from './generation-of-message.js';
import { jsonField } from './json-field.js';

/**
 * A chat of InferenceService as every dialect asks for it.
 *
 * @param request Absent where only the prompt is wanted.
 * @throws RequestError for values that a field does not have.
 */
export function chatRequestOf(chat: Chat, request?: GenerateRequest): ChatRequest {
  return {
    messages: chat.messages.map(toTemplateMessage),
    tools: chat.tools.map(toToolDefinition),
    toolChoice: toToolChoice(chat.toolChoice),
    parallelToolCalls: !chat.singleToolCall,
    thinking: toThinking(chat.thinking),
    addGenerationPrompt: chat.addGenerationPrompt,
    continueFinalMessage: chat.continueFinalMessage,
    templateVariables: toVariables(chat.templateVariables),
    chatTemplate: chat.chatTemplate === '' ? undefined : chat.chatTemplate,
    documents: chat.documents.map((document) => jsonField('documents', document)),
    constraint: constraintOf(request?.constraint),
    generation: request === undefined ? {} : generationFieldsOf(request),
  };
}

const ROLES = ['system', 'user', 'assistant', 'tool'] as const;
const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'] as const satisfies readonly ReasoningEffort[];
const CHOICES = ['auto', 'none', 'required'] as const;
const MODES = ['on', 'off', 'auto'] as const;

function toTemplateMessage(message: Message, index: number): TemplateMessage {
  const { content, reasoning, toolCalls, toolCallId, name } = message;
  return {
    role: oneOf(`messages[${String(index)}].role`, message.role, ROLES),
    content,
    ...(reasoning !== '' && { reasoning_content: reasoning }),
    ...(toolCalls.length > 0 && { tool_calls: toolCalls.map(toTemplateCall) }),
    ...(toolCallId !== '' && { tool_call_id: toolCallId }),
    ...(name !== '' && { name }),
  };
}

const toTemplateCall = ({ id, name, arguments: args }: Message['toolCalls'][number]) => ({
  ...(id !== '' && { id }),
  type: 'function' as const,
  function: { name, arguments: args },
});

/** In OpenAI's form and order of keys, which is what templates print. */
function toToolDefinition({ name, description, parameters: json, strict }: Tool): ToolDefinition {
  const parameters = json === '' ? undefined : jsonField('tools.parameters', json);
  const definition = {
    name,
    ...(description !== '' && { description }),
    ...(parameters !== undefined && { parameters }),
  };
  return { source: { type: 'function', function: definition }, name, parameters, strict };
}

function toToolChoice(message: ToolChoiceMessage | undefined): ToolChoice | undefined {
  const choice = message?.choice;
  if (choice === undefined) return undefined;
  return choice.$case === 'named' ? { named: choice.value } : oneOf('tool_choice.mode', choice.value, CHOICES);
}

function toThinking(message: Thinking | undefined): ThinkingRequest | undefined {
  if (message === undefined) return undefined;
  const mode = message.mode === '' ? undefined : oneOf('thinking.mode', message.mode, MODES);
  return {
    mode: mode === 'auto' ? mode : mode && mode === 'on',
    budgetTokens: message.budgetTokens,
    effort: message.effort === '' ? undefined : oneOf('thinking.effort', message.effort, EFFORTS),
  };
}

function toVariables(json: string): Readonly<Record<string, unknown>> | undefined {
  if (json === '') return undefined;
  const value = jsonField('template_variables', json);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new RequestError('invalid_value', 'template_variables must be a JSON object', 'template_variables');
}

function oneOf<Value extends string>(field: string, text: string, values: readonly Value[]): Value {
  const found = values.find((value) => value === text);
  if (found !== undefined) return found;
  throw new RequestError(
    'invalid_value',
    `${field} must be ${values.join(', ')}; it is ${JSON.stringify(text)}`,
    field,
  );
}
