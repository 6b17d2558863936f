import { z } from 'zod';
import { type TemplateMessage } from '../../text/chat-template.js';
import { optional, unsupported } from '../parse-request.js';
import { textContent } from '../text-content.js';

/** Parts are those of OpenAI's two APIs; clients mix them. */
const content = textContent({ text: 'text', input_text: 'text', output_text: 'text', refusal: 'refusal' });

const toolCall = z.object({
  id: optional(z.string()),
  type: optional(z.literal('function')),
  // JSON as text in OpenAI's API; some clients send the object itself, or nothing for a function without arguments.
  function: z.object({ name: z.string(), arguments: z.unknown().optional() }),
});

const name = optional(z.string());

const instructions = (role: 'system' | 'developer') => z.object({ role: z.literal(role), content, name });

// Clients send answers back as they got them, with what they and other servers have added: that is ignored.
const message = z.discriminatedUnion('role', [
  instructions('system'),
  instructions('developer'),
  z.object({ role: z.literal('user'), content, name }),
  z.object({
    role: z.literal('assistant'),
    content: optional(content),
    reasoning: optional(z.string()),
    reasoning_content: optional(z.string()),
    tool_calls: optional(z.array(toolCall)),
    name,
    audio: unsupported(),
    function_call: unsupported(),
  }),
  z.object({ role: z.literal('tool'), content, tool_call_id: optional(z.string()), name }),
]);

type ChatMessage = z.infer<typeof message>;

/** Messages of a request, as the chat template takes them. */
export const chatMessages = z
  .array(message)
  .min(1)
  .transform((messages) => messages.map(toTemplateMessage));

function toTemplateMessage(chatMessage: ChatMessage): TemplateMessage {
  const base = {
    content: chatMessage.content ?? '',
    ...(chatMessage.name !== undefined && { name: chatMessage.name }),
  };
  switch (chatMessage.role) {
    case 'system':
    case 'developer':
      return { role: 'system', ...base };
    case 'user':
      return { role: 'user', ...base };
    case 'tool':
      return { role: 'tool', ...base, ...(chatMessage.tool_call_id && { tool_call_id: chatMessage.tool_call_id }) };
    case 'assistant': {
      const thinking = chatMessage.reasoning_content ?? chatMessage.reasoning;
      return {
        role: 'assistant',
        ...base,
        ...(thinking !== undefined && { reasoning_content: thinking }),
        ...(chatMessage.tool_calls?.length && { tool_calls: chatMessage.tool_calls.map(toTemplateCall) }),
      };
    }
  }
}

const toTemplateCall = ({ id, function: called }: z.infer<typeof toolCall>) => ({
  ...(id !== undefined && { id }),
  type: 'function' as const,
  function: { name: called.name, arguments: called.arguments ?? {} },
});
