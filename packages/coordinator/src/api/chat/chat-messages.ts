import { z } from 'zod';
import { type TemplateMessage } from '../../text/chat-template.js';
import { mustBe } from '../field-errors.js';
import { optional, refuseUnsupported, unsupported } from '../parse-request.js';

/** A string, or text parts, which are joined by newlines as in vLLM. */
const textContent = z.unknown().transform((value, context): string => {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) {
    context.addIssue({ code: 'custom', message: mustBe('a string or a list of text parts')({ input: value }) });
    return z.NEVER;
  }
  const parts = value.map((part) => textPart.safeParse(part));
  const wrongIndex = parts.findIndex(({ success }) => !success);
  if (wrongIndex >= 0) refuseUnsupported(context, wrongPart(value[wrongIndex], wrongIndex));
  return parts.map(({ data }) => data?.text ?? '').join('\n');
});

const textPart = z.strictObject({ type: z.literal('text'), text: z.string() });
const partType = z.object({ type: z.string() });

function wrongPart(part: unknown, index: number): string {
  const { data } = partType.safeParse(part);
  const found = data === undefined || data.type === 'text' ? 'something else' : `type ${data.type}`;
  return `has in part ${String(index)} ${found}: this server reads text only, as {"type": "text", "text": "..."}`;
}

const toolCall = z.strictObject({
  id: optional(z.string()),
  type: z.literal('function').default('function'),
  function: z.strictObject({ name: z.string(), arguments: z.string() }),
  index: optional(z.number()),
});

const name = optional(z.string());

const instructions = (role: 'system' | 'developer') =>
  z.strictObject({ role: z.literal(role), content: textContent, name });

const message = z.discriminatedUnion('role', [
  instructions('system'),
  instructions('developer'),
  z.strictObject({ role: z.literal('user'), content: textContent, name }),
  z.strictObject({
    role: z.literal('assistant'),
    content: optional(textContent),
    reasoning: optional(z.string()),
    reasoning_content: optional(z.string()),
    tool_calls: optional(z.array(toolCall)),
    name,
    // Clients send answers back as they got them, with these in their neutral form.
    refusal: unsupported(),
    audio: unsupported(),
    function_call: unsupported(),
    annotations: unsupported([]),
  }),
  z.strictObject({ role: z.literal('tool'), content: textContent, tool_call_id: optional(z.string()), name }),
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
        ...(chatMessage.tool_calls?.length && { tool_calls: chatMessage.tool_calls }),
      };
    }
  }
}
