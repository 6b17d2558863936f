import { type SamplingParams } from '../sampling/sampling-params.js';
import { checkNumber, type NumberRange } from './field-limits.js';

/** What a request says about sampling; absent fields take the model's defaults. */
export type SamplingOverrides = { readonly [Field in keyof SamplingParams]?: SamplingParams[Field] | undefined };

/** Limits as in OpenAI's and vLLM's APIs. */
const RANGES: Readonly<Record<keyof SamplingParams, NumberRange>> = {
  temperature: { min: 0, max: 2 },
  topK: { min: 0, max: 1_000_000, isInteger: true },
  topP: { min: 0, max: 1, minIsExcluded: true },
  minP: { min: 0, max: 1 },
  repetitionPenalty: { min: 0, max: 10, minIsExcluded: true },
  presencePenalty: { min: -2, max: 2 },
  frequencyPenalty: { min: -2, max: 2 },
  // All that clients send for 64 bits, signed or not; JSON carries large ones rounded to 53 bits.
  seed: { min: -(2 ** 63), max: 2 ** 64, isInteger: true },
};

/**
 * Puts a request's values over the defaults.
 *
 * @throws FieldError naming the field, the value and the limit.
 */
export function resolveSampling(overrides: SamplingOverrides, defaults: Omit<SamplingParams, 'seed'>): SamplingParams {
  const entries = Object.entries(overrides).filter(([, value]) => value !== undefined) as [
    keyof SamplingParams,
    number,
  ][];
  for (const [field, value] of entries) checkNumber(field, value, RANGES[field]);
  return { ...defaults, ...Object.fromEntries(entries) };
}
