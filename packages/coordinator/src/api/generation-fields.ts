import { z } from 'zod';
import { type GenerationRequest } from '../generation/generation-request.js';
import { RequestError } from '../generation/request-error.js';
import { constraintFields } from './constraint-fields.js';
import { mustBe } from './field-errors.js';
import { optional, unsupported } from './parse-request.js';

/** Ids go into answers and logs. */
const MAX_REQUEST_ID_CHARS = 256;

/** How tokens are drawn, where a request may say so. */
export const drawFields = {
  temperature: optional(z.number()),
  top_p: optional(z.number()),
  top_k: optional(z.number()),
  min_p: optional(z.number()),
  seed: optional(z.number()),
  repetition_penalty: optional(z.number()),
  presence_penalty: optional(z.number()),
  frequency_penalty: optional(z.number()),
};

const samplingFields = {
  ...drawFields,
  /** By token id. */
  logit_bias: optional(z.record(z.string(), z.number())),
  bad_words: optional(z.array(z.string())),
  allowed_token_ids: optional(z.array(z.number())),
  min_tokens: optional(z.number()),
};

const endFields = {
  max_tokens: optional(z.number()),
  /** The answer begins with these, which the client has: docs/reliability.md. */
  resume_token_ids: optional(z.array(z.number())),
  stop: optional(z.union([z.string(), z.array(z.string())], { error: mustBe('a string or a list of strings') })),
  stop_token_ids: optional(z.array(z.number())),
  ignore_eos: optional(z.boolean()),
  include_stop_str_in_output: optional(z.boolean()),
  skip_special_tokens: optional(z.boolean()),
};

/** What the answer carries beside its text. */
const answerFields = {
  n: optional(z.number()),
  best_of: optional(z.number()),
  prompt_logprobs: optional(z.number()),
  return_tokens_as_token_ids: optional(z.boolean()),
  return_token_ids: optional(z.boolean()),
  stream: optional(z.boolean()),
  stream_options: optional(
    z.strictObject({
      include_usage: optional(z.boolean()),
      continuous_usage_stats: optional(z.boolean()),
      include_obfuscation: unsupported(false),
    }),
  ),
};

const requestFields = {
  /** Empty stands for the served model. */
  model: optional(z.string()),
  request_id: optional(z.string().min(1).max(MAX_REQUEST_ID_CHARS)),
  priority: optional(z.number()),
  cache_salt: optional(z.string()),
  truncate_prompt_tokens: optional(z.number()),
  // The tokenizers of these models add none.
  add_special_tokens: optional(z.boolean()),
  // Labels that change nothing in the answer.
  user: optional(z.string()),
  metadata: optional(z.record(z.string(), z.unknown())),
  session_id: optional(z.string()),
};

/** Known from OpenAI's and vLLM's APIs, and not supported. */
const unsupportedFields = {
  use_beam_search: unsupported(false),
  length_penalty: unsupported(1),
  early_stopping: unsupported(false),
  spaces_between_special_tokens: unsupported(true),
  truncation_side: unsupported('left'),
  logits_processors: unsupported([]),
  logprob_token_ids: unsupported(),
  repetition_detection: unsupported(),
  watermarking: unsupported(false),
  stream_interval: unsupported(1),
  kv_transfer_params: unsupported(),
  ec_transfer_params: unsupported(),
  vllm_xargs: unsupported({}),
  mm_processor_kwargs: unsupported({}),
  media_io_kwargs: unsupported({}),
  return_prompt_text: unsupported(false),
  return_token_offsets: unsupported(false),
  return_mm_kwargs: unsupported(true),
  routed_experts_prompt_start: unsupported(0),
};

/** Fields that chat and text completions share. Ranges are checked where they are put over the defaults. */
export const generationFields = {
  ...requestFields,
  ...samplingFields,
  ...endFields,
  ...answerFields,
  ...constraintFields,
  ...unsupportedFields,
};

export type GenerationFields = z.infer<z.ZodObject<typeof generationFields>>;

/**
 * @throws RequestError for what is without effect in a stream, or without one; OpenAI and vLLM refuse it, too.
 */
export function checkStreamFields(fields: GenerationFields): void {
  const { stream = false, stream_options: streamOptions, prompt_logprobs: promptLogprobs } = fields;
  if (streamOptions !== undefined && !stream) {
    const message = 'stream_options has a meaning only with "stream": true; set that, or leave stream_options out';
    throw new RequestError('invalid_value', message, 'stream_options');
  }
  if (promptLogprobs !== undefined && stream) {
    const message = 'prompt_logprobs comes with answers that are not streamed; leave it out, or set "stream" to false';
    throw new RequestError('invalid_value', message, 'prompt_logprobs');
  }
}

/**
 * @param logprobs so many alternatives beside each token of the answer, which chat and completions ask for differently
 */
export function toGenerationRequest(
  fields: GenerationFields,
  logprobs: number | undefined,
): Omit<GenerationRequest, 'promptTokenIds' | 'constraint' | 'thinking'> {
  return {
    truncatePromptTokens: fields.truncate_prompt_tokens,
    maxTokens: fields.max_tokens,
    resumedTokenIds: fields.resume_token_ids,
    minTokens: fields.min_tokens,
    sampling: samplingOf(fields),
    logitBias: fields.logit_bias && biasOf(fields.logit_bias),
    badWords: fields.bad_words,
    allowedTokenIds: fields.allowed_token_ids,
    logprobs,
    promptLogprobs: fields.prompt_logprobs,
    numAnswers: fields.n,
    bestOf: fields.best_of,
    isStreamed: fields.stream,
    priority: fields.priority,
    cacheSalt: fields.cache_salt,
    stopStrings: [fields.stop ?? []].flat(),
    stopTokenIds: fields.stop_token_ids ?? [],
    ignoreEos: fields.ignore_eos ?? false,
    includeStop: fields.include_stop_str_in_output ?? false,
    skipSpecialTokens: fields.skip_special_tokens ?? true,
  };
}

export function samplingOf(fields: z.infer<z.ZodObject<typeof drawFields>>): GenerationRequest['sampling'] {
  return {
    temperature: fields.temperature,
    // vLLM writes "all tokens" as -1.
    topK: fields.top_k === -1 ? 0 : fields.top_k,
    topP: fields.top_p,
    minP: fields.min_p,
    repetitionPenalty: fields.repetition_penalty,
    presencePenalty: fields.presence_penalty,
    frequencyPenalty: fields.frequency_penalty,
    seed: fields.seed,
  };
}

/** What is no number is refused as a token that the model does not have. */
function biasOf(logitBias: Readonly<Record<string, number>>): ReadonlyMap<number, number> {
  return new Map(Object.entries(logitBias).map(([id, bias]) => [/^\d+$/.test(id) ? Number(id) : NaN, bias]));
}
