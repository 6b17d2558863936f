import { z } from 'zod';
import { type GenerationRequest } from '../generation/generation-request.js';
import { RequestError } from '../generation/request-error.js';
import { mustBe } from './field-errors.js';
import { optional, unsupported } from './parse-request.js';

/** Fields that chat and text completions share. Ranges are checked where they are put over the defaults. */
export const generationFields = {
  model: optional(z.string()),
  max_tokens: optional(z.number()),
  temperature: optional(z.number()),
  top_p: optional(z.number()),
  top_k: optional(z.number()),
  min_p: optional(z.number()),
  seed: optional(z.number()),
  repetition_penalty: optional(z.number()),
  presence_penalty: optional(z.number()),
  frequency_penalty: optional(z.number()),
  stop: optional(z.union([z.string(), z.array(z.string())], { error: mustBe('a string or a list of strings') })),
  stop_token_ids: optional(z.array(z.number())),
  ignore_eos: optional(z.boolean()),
  include_stop_str_in_output: optional(z.boolean()),
  skip_special_tokens: optional(z.boolean()),
  stream: optional(z.boolean()),
  stream_options: optional(
    z.strictObject({
      include_usage: optional(z.boolean()),
      continuous_usage_stats: optional(z.boolean()),
      include_obfuscation: unsupported(false),
    }),
  ),
  // Labels that change nothing in the answer.
  user: optional(z.string()),
  metadata: optional(z.record(z.string(), z.unknown())),
  // Known from OpenAI's and vLLM's APIs, and not supported.
  n: unsupported(1),
  best_of: unsupported(1),
  echo: unsupported(false),
  logit_bias: unsupported({}),
  prompt_logprobs: unsupported(),
  min_tokens: unsupported(0),
  bad_words: unsupported([]),
  allowed_token_ids: unsupported(),
  length_penalty: unsupported(1),
  use_beam_search: unsupported(false),
  truncate_prompt_tokens: unsupported(),
  spaces_between_special_tokens: unsupported(true),
  add_special_tokens: unsupported(false),
  priority: unsupported(0),
  request_id: unsupported(),
  response_format: unsupported({ type: 'text' }),
  structured_outputs: unsupported(),
  guided_json: unsupported(),
  guided_regex: unsupported(),
  guided_choice: unsupported(),
  guided_grammar: unsupported(),
};

type GenerationFields = z.infer<z.ZodObject<typeof generationFields>>;

/**
 * @throws RequestError for `stream_options` without `stream`, which OpenAI refuses too: they would be without effect.
 */
export function checkStreamOptions({ stream, stream_options: streamOptions }: GenerationFields): void {
  if (streamOptions === undefined || stream === true) return;
  const message = 'stream_options has a meaning only with "stream": true; set that, or leave stream_options out';
  throw new RequestError('invalid_value', message, 'stream_options');
}

export function toGenerationRequest(fields: GenerationFields, promptTokenIds: readonly number[]): GenerationRequest {
  return {
    promptTokenIds,
    maxTokens: fields.max_tokens,
    sampling: {
      temperature: fields.temperature,
      // vLLM writes "all tokens" as -1.
      topK: fields.top_k === -1 ? 0 : fields.top_k,
      topP: fields.top_p,
      minP: fields.min_p,
      repetitionPenalty: fields.repetition_penalty,
      presencePenalty: fields.presence_penalty,
      frequencyPenalty: fields.frequency_penalty,
      seed: fields.seed,
    },
    stopStrings: [fields.stop ?? []].flat(),
    stopTokenIds: fields.stop_token_ids ?? [],
    ignoreEos: fields.ignore_eos ?? false,
    includeStop: fields.include_stop_str_in_output ?? false,
    skipSpecialTokens: fields.skip_special_tokens ?? true,
  };
}
