import { z } from 'zod';
import { type ThinkingRequest } from '../../generation/chat-request.js';
import { optional, unsupported } from '../parse-request.js';
import { reasoningEffort } from '../reasoning-effort.js';
import { inputMessages, systemText } from './message-content.js';
import { messageTool, messageToolChoice } from './message-tools.js';

const display = optional(z.enum(['summarized', 'omitted']));

const thinking = z.discriminatedUnion('type', [
  z.object({ type: z.literal('enabled'), budget_tokens: optional(z.number()), display }),
  z.object({ type: z.literal('adaptive'), display }),
  z.object({ type: z.literal('disabled') }),
]);

const outputConfig = z.strictObject({
  effort: optional(reasoningEffort),
  format: optional(z.object({ type: z.literal('json_schema'), schema: z.record(z.string(), z.unknown()) })),
});

/** Thinking blocks in history stay where the template keeps them, which is all that such an edit asks for. */
const KEEP_ALL_THINKING = { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] };

const promptFields = {
  model: optional(z.string()),
  messages: inputMessages,
  system: optional(systemText),
  tools: optional(z.array(messageTool)),
  tool_choice: optional(messageToolChoice),
  thinking: optional(thinking),
  output_config: optional(outputConfig),
  // Prefixes are cached without being asked for.
  cache_control: z.unknown().optional(),
  context_management: unsupported({ edits: [] }, KEEP_ALL_THINKING),
  speed: unsupported('standard'),
  mcp_servers: unsupported([]),
};

/** POST /v1/messages */
export const messageRequestSchema = z.strictObject({
  ...promptFields,
  max_tokens: z.number(),
  stop_sequences: optional(z.array(z.string())),
  stream: optional(z.boolean()),
  temperature: optional(z.number()),
  top_p: optional(z.number()),
  top_k: optional(z.number()),
  // A label that changes nothing in the answer.
  metadata: optional(z.record(z.string(), z.unknown())),
  service_tier: unsupported('auto', 'standard_only'),
  container: unsupported(),
  inference_geo: unsupported(),
  diagnostics: unsupported(),
});

export type MessageRequest = z.infer<typeof messageRequestSchema>;

/** POST /v1/messages/count_tokens */
export const countTokensSchema = z.strictObject({ ...promptFields, max_tokens: optional(z.number()) });

export type MessagePrompt = z.infer<typeof countTokensSchema>;

/** Left out, thinking is off, as at Anthropic. */
export function toThinkingRequest({ thinking: asked, output_config: config }: MessagePrompt): ThinkingRequest {
  const effort = config?.effort;
  switch (asked?.type) {
    case undefined:
    case 'disabled':
      return { mode: false };
    case 'adaptive':
      return { mode: 'auto', effort };
    case 'enabled':
      return { mode: true, budgetTokens: asked.budget_tokens, effort };
  }
}
