import { z } from 'zod';

const toolCall = z.object({
  id: z.string(),
  type: z.literal('function'),
  function: z.object({ name: z.string(), arguments: z.string() }),
});

/** Messages as the server takes them, and as sessions are saved. */
export const chatMessage = z.discriminatedUnion('role', [
  z.object({ role: z.literal('system'), content: z.string() }),
  z.object({ role: z.literal('user'), content: z.string() }),
  z.object({
    role: z.literal('assistant'),
    content: z.string(),
    // The model goes on thinking where it stopped for a call.
    reasoning_content: z.string().optional(),
    tool_calls: z.array(toolCall).optional(),
  }),
  z.object({ role: z.literal('tool'), tool_call_id: z.string(), content: z.string() }),
]);

export type ChatMessage = z.infer<typeof chatMessage>;
export type AssistantMessage = Extract<ChatMessage, { readonly role: 'assistant' }>;
export type ToolCall = z.infer<typeof toolCall>;
