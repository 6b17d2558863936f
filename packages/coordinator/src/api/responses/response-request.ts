import { z } from 'zod';
import { drawFields } from '../generation-fields.js';
import { optional, unsupported } from '../parse-request.js';
import { reasoningEffort } from '../reasoning-effort.js';
import { responseInput } from './input-items.js';
import { functionTool, textFormat, toolChoice } from './response-tools.js';

const label = optional(z.string());

/** POST /v1/responses, without what OpenAI's servers do beside the model. */
export const responseRequestSchema = z.strictObject({
  model: optional(z.string()),
  input: responseInput,
  instructions: optional(z.string()),
  previous_response_id: optional(z.string()),
  store: optional(z.boolean()),
  stream: optional(z.boolean()),
  stream_options: optional(z.strictObject({ include_obfuscation: unsupported(false) })),
  tools: optional(z.array(functionTool)),
  tool_choice: optional(toolChoice),
  parallel_tool_calls: optional(z.boolean()),
  text: optional(z.strictObject({ format: optional(textFormat), verbosity: unsupported('medium') })),
  reasoning: optional(
    z.strictObject({
      effort: optional(reasoningEffort),
      // The thinking itself is shown; nothing is there that could shorten it.
      summary: optional(z.enum(['auto', 'detailed'])),
      generate_summary: optional(z.enum(['auto', 'detailed'])),
      context: unsupported('auto'),
      mode: unsupported('standard'),
    }),
  ),
  include: optional(z.array(z.literal('reasoning.encrypted_content'))),
  max_output_tokens: optional(z.number()),
  // With additions of ours and of vLLM's.
  ...drawFields,
  chat_template_kwargs: optional(z.record(z.string(), z.unknown())),
  cache_salt: label,
  priority: optional(z.number()),
  // Labels that change nothing in the answer.
  metadata: optional(z.record(z.string(), z.string())),
  user: label,
  safety_identifier: label,
  prompt_cache_key: label,
  prompt_cache_retention: label,
  // Only tools that the server runs itself count, and there are none.
  max_tool_calls: optional(z.number()),
  // Known from OpenAI's API, and not supported.
  top_logprobs: unsupported(0),
  truncation: unsupported('disabled'),
  background: unsupported(false),
  service_tier: unsupported('auto', 'default'),
  conversation: unsupported(),
  prompt: unsupported(),
  prompt_cache_options: unsupported(),
  context_management: unsupported([]),
  moderation: unsupported(),
});

export type ResponseRequest = z.infer<typeof responseRequestSchema>;

/** GET /v1/responses/{id}: a response comes at once, as its events have gone. */
export const retrieveQuerySchema = z.strictObject({
  stream: unsupported('false'),
  starting_after: unsupported(),
  include_obfuscation: unsupported('false'),
  include: unsupported(),
});
