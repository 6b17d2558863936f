import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type SamplingParams } from '../sampling/sampling-params.js';

/** What a request that does not say otherwise gets. */
export interface GenerationDefaults {
  readonly sampling: Omit<SamplingParams, 'seed'>;
  /** Tokens that end an answer; empty when generation_config.json names none. */
  readonly eosTokenIds: readonly number[];
}

/** Every step of sampling switched off: plain sampling from the whole distribution. */
export const NEUTRAL_SAMPLING: Omit<SamplingParams, 'seed'> = {
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
};

const tokenId = z.number().int().nonnegative();

const generationConfigSchema = z.object({
  do_sample: z.boolean().nullish(),
  temperature: z.number().nonnegative().nullish(),
  top_k: z.number().int().nonnegative().nullish(),
  top_p: z.number().gt(0).lte(1).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().positive().nullish(),
  eos_token_id: z.union([tokenId, z.array(tokenId)]).nullish(),
});

/**
 * Reads generation_config.json of a model directory; without the file every step is neutral. `do_sample` decides
 * between sampling and greedy, as in transformers, but only where it stands there: a file that leaves it out but names
 * a temperature means to sample.
 *
 * @throws ExpertmeshError `invalid_argument` when the file is not understood.
 */
export async function readGenerationDefaults(modelDir: string): Promise<GenerationDefaults> {
  const path = join(modelDir, 'generation_config.json');
  if (!existsSync(path)) return { sampling: NEUTRAL_SAMPLING, eosTokenIds: [] };
  const text = await readFile(path, 'utf8');
  try {
    return toDefaults(generationConfigSchema.parse(JSON.parse(text)));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw new ExpertmeshError('invalid_argument', `${path} is not understood: ${reason}`, { cause });
  }
}

/** generation_config.json decides, as in transformers; a model without one ends at its tokenizer's eos_token. */
export function endTokenIds(
  defaults: GenerationDefaults,
  { eosTokenId }: { readonly eosTokenId: number | undefined },
): readonly number[] {
  return defaults.eosTokenIds.length === 0 && eosTokenId !== undefined ? [eosTokenId] : defaults.eosTokenIds;
}

const toDefaults = (config: z.infer<typeof generationConfigSchema>): GenerationDefaults => ({
  sampling: {
    ...NEUTRAL_SAMPLING,
    temperature: config.do_sample === false ? 0 : (config.temperature ?? NEUTRAL_SAMPLING.temperature),
    topK: config.top_k ?? NEUTRAL_SAMPLING.topK,
    topP: config.top_p ?? NEUTRAL_SAMPLING.topP,
    minP: config.min_p ?? NEUTRAL_SAMPLING.minP,
    repetitionPenalty: config.repetition_penalty ?? NEUTRAL_SAMPLING.repetitionPenalty,
  },
  eosTokenIds: [config.eos_token_id ?? []].flat(),
});
