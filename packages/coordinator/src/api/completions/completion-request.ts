import { z } from 'zod';
import { type GenerationRequest } from '../../generation/generation-request.js';
import { promptTokens } from '../../generation/prompt-tokens.js';
import { RequestError } from '../../generation/request-error.js';
import { type RequestField } from '../../generation/request-field.js';
import { type ServedModel } from '../../generation/served-model.js';
import { constraintOf } from '../constraint-fields.js';
import { mustBe } from '../field-errors.js';
import { openAiFieldName } from '../field-names.js';
import { checkStreamFields, generationFields, toGenerationRequest } from '../generation-fields.js';
import { optional, unsupported } from '../parse-request.js';

/** Each prompt is a sequence of its own: more of them are several requests. */
const MAX_PROMPTS = 256;

const tokenIds = z.array(z.number());

/** A text or its token ids, or several of either kind. */
const prompt = z.union(
  [z.string(), tokenIds, z.array(z.string()).min(1).max(MAX_PROMPTS), z.array(tokenIds).min(1).max(MAX_PROMPTS)],
  { error: mustBe(`a string, a list of token ids, or a list of at most ${String(MAX_PROMPTS)} of these`) },
);

export const completionRequestSchema = z.strictObject({
  ...generationFields,
  prompt,
  echo: optional(z.boolean()),
  logprobs: optional(z.number()),
  suffix: unsupported(''),
  prompt_embeds: unsupported(),
  thinking_token_budget: unsupported(-1),
});

export type CompletionFields = z.infer<typeof completionRequestSchema>;

/** One prompt of a request, as it came and as it is computed. */
export interface PromptGeneration {
  readonly text: string;
  readonly request: GenerationRequest;
}

/** @throws RequestError naming the field at fault. */
export async function toPromptGenerations(
  model: ServedModel,
  completion: CompletionFields,
): Promise<readonly PromptGeneration[]> {
  checkStreamFields(completion);
  const prompts = promptsOf(completion.prompt);
  if (completion.resume_token_ids !== undefined && prompts.length > 1) throw severalResumed(prompts.length);
  const generation = {
    ...toGenerationRequest(completion, completion.logprobs),
    constraint: constraintOf(completion)?.constraint,
    promptLogprobs: promptLogprobsOf(completion),
  };
  const isCut = generation.truncatePromptTokens !== undefined;
  const generations: PromptGeneration[] = [];
  for (const each of prompts) {
    const promptTokenIds = typeof each === 'string' ? await promptTokens(model, each, isCut) : each;
    const text = typeof each === 'string' ? each : decodeKnown(model, each, completion.echo ?? false);
    generations.push({ text, request: { ...generation, promptTokenIds } });
  }
  return generations;
}

function severalResumed(numPrompts: number): RequestError {
  const message = `resume_token_ids is of one answer, and there are ${String(numPrompts)} prompts: send each alone`;
  return new RequestError('invalid_value', message, 'resume_token_ids');
}

/** How a request calls a field that a refusal is about. */
export function completionFieldName(completion: CompletionFields) {
  return (field: RequestField): string =>
    field === 'constraint' ? (constraintOf(completion)?.field ?? 'response_format') : openAiFieldName(field);
}

function promptsOf(value: CompletionFields['prompt']): readonly (string | readonly number[])[] {
  if (typeof value === 'string') return [value];
  return isTokenIds(value) ? [value] : value;
}

const isTokenIds = (value: readonly unknown[]): value is number[] => value.every((entry) => typeof entry === 'number');

/** Ids that the model does not have are refused later, with their numbers. */
function decodeKnown({ tokenizer, engine }: ServedModel, ids: readonly number[], isEchoed: boolean): string {
  const { vocabSize } = engine.limits;
  const areKnown = ids.every((id) => Number.isInteger(id) && id >= 0 && id < vocabSize);
  return isEchoed && areKnown ? tokenizer.decode(ids) : '';
}

/**
 * An echo with log-probabilities has those of the prompt, too; one without an answer computes nothing but the prompt.
 */
function promptLogprobsOf(completion: CompletionFields): number | undefined {
  const { echo = false, logprobs, max_tokens: maxTokens, prompt_logprobs: own } = completion;
  if (!echo) return own;
  return own ?? logprobs ?? (maxTokens === 0 ? 0 : undefined);
}
