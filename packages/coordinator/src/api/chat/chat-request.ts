import { z } from 'zod';
import { type ChatGeneration } from '../../generation/generate-chat.js';
import { type ToolDefinition } from '../../generation/chat-request.js';
import { prepareChat } from '../../generation/prepare-chat.js';
import { RequestError } from '../../generation/request-error.js';
import { checkModel, type ServedModel } from '../../generation/served-model.js';
import { type ChatTemplate } from '../../text/chat-template.js';
import { fieldErrors } from '../field-errors.js';
import { checkStreamOptions, generationFields, toGenerationRequest } from '../generation-fields.js';
import { optional, unsupported } from '../parse-request.js';
import { chatMessages } from './chat-messages.js';

const toolSchema = z.strictObject({
  type: z.literal('function'),
  function: z.strictObject({
    name: z.string().min(1),
    description: optional(z.string()),
    parameters: optional(z.record(z.string(), z.unknown())),
    strict: unsupported(false),
  }),
});

/** Checked, but passed on as the client wrote it: the template prints it as JSON, where the order of keys counts. */
const tool = z.unknown().superRefine((value, context) => {
  for (const issue of toolSchema.safeParse(value, { error: fieldErrors }).error?.issues ?? [])
    context.addIssue({ ...issue });
});

const promptFields = {
  messages: chatMessages,
  tools: optional(z.array(tool)),
  add_generation_prompt: optional(z.boolean()),
  chat_template_kwargs: optional(z.record(z.string(), z.unknown())),
};

/** The part of a chat request that makes the prompt, for POST /tokenize too. */
export const chatPromptSchema = z.strictObject({ model: generationFields.model, ...promptFields });

export const chatRequestSchema = z.strictObject({
  ...generationFields,
  ...promptFields,
  max_completion_tokens: optional(z.number()),
  tool_choice: unsupported('auto', 'none'),
  parallel_tool_calls: optional(z.boolean()),
  // Qwen3 thinks or does not: `none` switches thinking off, every other effort switches it on.
  reasoning_effort: optional(z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh'])),
  safety_identifier: optional(z.string()),
  prompt_cache_key: optional(z.string()),
  service_tier: unsupported('auto', 'default'),
  store: unsupported(false),
  logprobs: unsupported(false),
  top_logprobs: unsupported(0),
  include_reasoning: unsupported(true),
  thinking_token_budget: unsupported(),
  continue_final_message: unsupported(false),
  chat_template: unsupported(),
  documents: unsupported([]),
  functions: unsupported([]),
  function_call: unsupported('none'),
  modalities: unsupported(['text']),
  verbosity: unsupported('medium'),
  audio: unsupported(),
  prediction: unsupported(),
  web_search_options: unsupported(),
});

export type ChatRequest = z.infer<typeof chatRequestSchema>;
type ChatPrompt = z.infer<typeof chatPromptSchema>;

/** @throws RequestError naming the field at fault, ExpertmeshError when the template refuses the messages. */
export async function toChatGeneration(model: ServedModel, chat: ChatRequest): Promise<ChatGeneration> {
  checkModel(model, chat.model);
  checkStreamOptions(chat);
  const fields = { ...chat, max_tokens: chat.max_completion_tokens ?? chat.max_tokens };
  return prepareChat(model, {
    messages: chat.messages,
    tools: chat.tools?.map(toToolDefinition),
    toolChoice: chat.tool_choice === 'none' ? 'none' : 'auto',
    parallelToolCalls: chat.parallel_tool_calls,
    thinking: { effort: chat.reasoning_effort },
    addGenerationPrompt: chat.add_generation_prompt,
    templateVariables: chat.chat_template_kwargs,
    generation: toGenerationRequest(fields, []),
  });
}

function toToolDefinition(source: unknown): ToolDefinition {
  const { function: definition } = toolSchema.parse(source);
  return { source, name: definition.name, parameters: definition.parameters, strict: false };
}

/** @throws RequestError when the model has no chat template, ExpertmeshError when the template refuses the messages. */
export function renderPrompt(model: ServedModel, chat: ChatPrompt): string {
  const { messages, tools, add_generation_prompt: addGenerationPrompt = true } = chat;
  return requireTemplate(model).render({
    messages,
    ...(tools !== undefined && { tools }),
    addGenerationPrompt,
    templateVariables: { ...chat.chat_template_kwargs },
  });
}

function requireTemplate({ chatTemplate, id }: ServedModel): ChatTemplate {
  if (chatTemplate !== undefined) return chatTemplate;
  throw new RequestError('unsupported_parameter', `${id} has no chat template; use POST /v1/completions`, 'messages');
}
