import { type SamplingParams } from '../sampling/sampling-params.js';
import { RequestError } from './request-error.js';

/** What a request says about sampling; absent fields take the model's defaults. */
export type SamplingOverrides = { readonly [Field in keyof SamplingParams]?: SamplingParams[Field] | undefined };

interface Range {
  readonly param: string;
  readonly min: number;
  readonly max: number;
  readonly minIsExcluded?: boolean;
  readonly isInteger?: boolean;
}

/** Names as clients send them, and limits as in OpenAI's and vLLM's APIs. */
const RANGES: Readonly<Record<keyof SamplingParams, Range>> = {
  temperature: { param: 'temperature', min: 0, max: 2 },
  topK: { param: 'top_k', min: 0, max: 1_000_000, isInteger: true },
  topP: { param: 'top_p', min: 0, max: 1, minIsExcluded: true },
  minP: { param: 'min_p', min: 0, max: 1 },
  repetitionPenalty: { param: 'repetition_penalty', min: 0, max: 10, minIsExcluded: true },
  presencePenalty: { param: 'presence_penalty', min: -2, max: 2 },
  frequencyPenalty: { param: 'frequency_penalty', min: -2, max: 2 },
  // All that clients send for 64 bits, signed or not; JSON carries large ones rounded to 53 bits.
  seed: { param: 'seed', min: -(2 ** 63), max: 2 ** 64, isInteger: true },
};

/**
 * Puts a request's values over the defaults.
 *
 * @throws RequestError `invalid_value` naming the field, the value and the limit.
 */
export function resolveSampling(overrides: SamplingOverrides, defaults: Omit<SamplingParams, 'seed'>): SamplingParams {
  const entries = Object.entries(overrides).filter(([, value]) => value !== undefined) as [
    keyof SamplingParams,
    number,
  ][];
  for (const [field, value] of entries) checkRange(RANGES[field], value);
  return { ...defaults, ...Object.fromEntries(entries) };
}

function checkRange({ param, min, max, minIsExcluded = false, isInteger = false }: Range, value: number): void {
  const isAboveMin = minIsExcluded ? value > min : value >= min;
  if (isAboveMin && value <= max && (!isInteger || Number.isInteger(value))) return;
  const kind = isInteger ? 'an integer' : 'a number';
  const lower = minIsExcluded ? `above ${String(min)}` : `of at least ${String(min)}`;
  throw new RequestError(
    'invalid_value',
    `${param} must be ${kind} ${lower} and at most ${String(max)}; it is ${String(value)}`,
    param,
  );
}
