import { keptPrompt } from '../../generation/prompt-limits.js';
import { type ServedModel } from '../../generation/served-model.js';
import { type AnswerHead, newAnswerHead, toUsageOptions, type UsageOptions } from '../openai-answer.js';
import { type TokenNames } from '../token-logprobs.js';
import { type CompletionFields, type PromptGeneration } from './completion-request.js';

/** How a request wants its completions written. */
export interface CompletionForm {
  readonly head: AnswerHead;
  readonly names: TokenNames;
  readonly usageOptions: UsageOptions;
  readonly prompts: readonly PromptForm[];
  readonly numAnswers: number;
  readonly echoes: boolean;
  readonly showsLogprobs: boolean;
  readonly showsPromptLogprobs: boolean;
  readonly showsTokenIds: boolean;
}

export interface PromptForm {
  readonly text: string;
  /** Those that are computed: the last ones, where the request has it truncated. */
  readonly tokenIds: readonly number[];
}

/** @param requestId of the request, unless it brings one */
export function completionForm(
  model: ServedModel,
  completion: CompletionFields,
  generations: readonly PromptGeneration[],
  requestId: string,
): CompletionForm {
  return {
    head: newAnswerHead(`cmpl-${completion.request_id ?? requestId}`, model, completion.model),
    names: { tokenizer: model.tokenizer, asIds: completion.return_tokens_as_token_ids ?? false },
    usageOptions: toUsageOptions(completion.stream_options),
    prompts: generations.map(({ text, request }) => ({
      text,
      tokenIds: keptPrompt(request, model.engine.limits.maxModelLen),
    })),
    numAnswers: completion.n ?? 1,
    echoes: completion.echo ?? false,
    showsLogprobs: completion.logprobs !== undefined,
    showsPromptLogprobs: completion.prompt_logprobs !== undefined,
    showsTokenIds: completion.return_token_ids ?? false,
  };
}
