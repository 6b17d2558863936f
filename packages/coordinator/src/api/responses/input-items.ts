import { z } from 'zod';
import { ofKnownType } from '../known-type.js';
import { optional } from '../parse-request.js';
import { textContent } from '../text-content.js';

const id = optional(z.string());
const text = textContent({ input_text: 'text', output_text: 'text', text: 'text', refusal: 'refusal' });
const textParts = optional(z.array(z.object({ text: z.string() })));

/**
 * What else an item has (`status`, `annotations`, `phase`, ...) is ignored: clients send answers back as they got them.
 */
const item = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('message'),
    id,
    role: z.enum(['user', 'assistant', 'system', 'developer']),
    content: text,
  }),
  z.object({ type: z.literal('function_call'), id, call_id: z.string(), name: z.string(), arguments: z.string() }),
  z.object({ type: z.literal('function_call_output'), id, call_id: z.string(), output: text }),
  z.object({
    type: z.literal('reasoning'),
    id,
    summary: textParts,
    content: textParts,
    encrypted_content: optional(z.string()),
  }),
  z.object({ type: z.literal('item_reference'), id: z.string() }),
]);

export type InputItem = z.infer<typeof item>;
export type ItemReference = Extract<InputItem, { readonly type: 'item_reference' }>;
/** An item that stands for itself. */
export type ConversationItem = Exclude<InputItem, ItemReference>;

const ITEM_TYPES = ['message', 'function_call', 'function_call_output', 'reasoning', 'item_reference'];

/** A message may leave its type out. */
const typedItem = z.preprocess(
  (value) =>
    typeof value === 'object' && value !== null && 'role' in value && !('type' in value)
      ? { type: 'message', ...value }
      : value,
  ofKnownType(ITEM_TYPES, 'this server reads messages, functions and reasoning', item),
);

/** `input` of a request: a text is one message of the user. */
export const responseInput = z.preprocess(
  (value) => (typeof value === 'string' ? [{ type: 'message', role: 'user', content: value }] : value),
  z.array(typedItem).min(1),
);

/** Items of an answer, as they come back when a conversation goes on. */
export function readOutput(output: readonly unknown[]): ConversationItem[] {
  return z
    .array(item)
    .parse(output)
    .filter((read) => read.type !== 'item_reference');
}
