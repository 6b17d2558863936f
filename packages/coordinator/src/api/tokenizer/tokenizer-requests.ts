import { z } from 'zod';
import { chatPromptFields } from '../chat/chat-request.js';
import { generationFields } from '../generation-fields.js';
import { optional, unsupported } from '../parse-request.js';

const { model } = generationFields;

const tokenizeFields = {
  model,
  // The tokenizers of these models add none.
  add_special_tokens: optional(z.boolean()),
  return_token_strs: optional(z.boolean()),
};

export const tokenizeTextSchema = z.strictObject({ ...tokenizeFields, prompt: z.string() });

export const tokenizeChatSchema = z.strictObject({
  ...tokenizeFields,
  ...chatPromptFields,
  media_io_kwargs: unsupported({}),
  mm_processor_kwargs: unsupported({}),
});

export const detokenizeSchema = z.strictObject({ model, tokens: z.array(z.number()) });
