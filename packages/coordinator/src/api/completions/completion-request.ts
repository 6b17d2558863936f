import { z } from 'zod';
import { type GenerationRequest } from '../../generation/generation-request.js';
import { checkModel, type ServedModel } from '../../generation/served-model.js';
import { mustBe } from '../field-errors.js';
import { checkStreamOptions, generationFields, toGenerationRequest } from '../generation-fields.js';
import { refuseUnsupported, unsupported } from '../parse-request.js';

const tokenIds = z.array(z.number());

/** Text, or token ids; a list of prompts only where it has just one. */
const prompt = z
  .union([z.string(), tokenIds, z.array(z.string()).min(1), z.array(tokenIds).min(1)], {
    error: mustBe('a string or a list of token ids'),
  })
  .transform((value, context): string | number[] => {
    if (typeof value === 'string' || isTokenIds(value)) return value;
    const [only, ...others] = value;
    if (only !== undefined && others.length === 0) return only;
    refuseUnsupported(context, `has ${String(value.length)} prompts; send one request per prompt`);
    return z.NEVER;
  });

const isTokenIds = (value: readonly unknown[]): value is number[] => value.every((entry) => typeof entry === 'number');

export const completionRequestSchema = z.strictObject({
  ...generationFields,
  prompt,
  suffix: unsupported(''),
  logprobs: unsupported(),
});

export type CompletionRequest = z.infer<typeof completionRequestSchema>;

/** @throws RequestError naming the field at fault. */
export async function toCompletionGeneration(
  model: ServedModel,
  completion: CompletionRequest,
): Promise<GenerationRequest> {
  checkModel(model, completion.model);
  checkStreamOptions(completion);
  const { prompt: text } = completion;
  return toGenerationRequest(completion, typeof text === 'string' ? await model.tokenizer.encode(text) : text);
}
