import { z } from 'zod';
import { mustBe } from '../field-errors.js';
import { ofKnownType } from '../known-type.js';
import { optional } from '../parse-request.js';
import { textContent } from '../text-content.js';

const TEXT_ONLY = 'this server reads text only';

/** What else a block has (`cache_control`, `citations`, ...) is ignored: clients send answers back as they got them. */
const block = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('thinking'), thinking: z.string(), signature: optional(z.string()) }),
  z.object({ type: z.literal('redacted_thinking') }),
  z.object({
    type: z.literal('tool_use'),
    id: z.string(),
    name: z.string(),
    input: z.record(z.string(), z.unknown()),
  }),
  z.object({
    type: z.literal('tool_result'),
    tool_use_id: z.string(),
    content: optional(textContent({ text: 'text' })),
    is_error: optional(z.boolean()),
  }),
]);

export type MessageBlock = z.infer<typeof block>;

const BLOCK_TYPES = ['text', 'thinking', 'redacted_thinking', 'tool_use', 'tool_result'];

const blocks = z.preprocess(
  (value) => (typeof value === 'string' ? [{ type: 'text', text: value }] : value),
  z.array(ofKnownType(BLOCK_TYPES, TEXT_ONLY, block), { error: mustBe('a string or a list of blocks') }),
);

export const inputMessages = z
  .array(z.object({ role: z.enum(['user', 'assistant', 'system']), content: blocks }))
  .min(1);

export type InputMessage = z.infer<typeof inputMessages>[number];

/**
 * `system`: a text or text blocks. A block that clients put there as a header, with a checksum that changes from
 * request to request, is no instruction: it is left out, as it would keep prompts from being found in the prefix cache.
 */
export const systemText = z.preprocess(
  (value) => (Array.isArray(value) ? value.filter((part: unknown) => !isClientHeader(part)) : value),
  textContent({ text: 'text' }),
);

const isClientHeader = (part: unknown): boolean =>
  typeof part === 'object' &&
  part !== null &&
  'text' in part &&
  typeof part.text === 'string' &&
  part.text.startsWith('x-anthropic-billing-header:');
