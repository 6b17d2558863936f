import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type SamplingParams } from '@expertmesh/coordinator/sampling/sampling-params';

/** What transformers makes of the demo model's logits. */
export interface SamplingGolden {
  readonly sequences: readonly LogprobsGolden[];
  readonly distributions: DistributionsGolden;
}

/** Each array has a value per token but the first. */
export interface LogprobsGolden {
  readonly tokenIds: readonly number[];
  readonly logprobs: readonly number[];
  readonly ranks: readonly number[];
  readonly topTokenIds: readonly (readonly number[])[];
  readonly topLogprobs: readonly (readonly number[])[];
}

/** Distributions of the token after `position` of a prompt of the demo model's golden and an answer of some tokens. */
export interface DistributionsGolden {
  readonly promptIndex: number;
  readonly position: number;
  readonly answerTokenIds: readonly number[];
  readonly settings: readonly SettingGolden[];
}

export interface SettingGolden extends Partial<SamplingParams> {
  readonly name: string;
  readonly logitBias: readonly (readonly [tokenId: number, bias: number])[];
  readonly badWords?: readonly (readonly number[])[];
  readonly minTokens?: number;
  readonly stopTokenIds?: readonly number[];
  /** Tokens whose probability is not zero, and their probabilities. */
  readonly tokenIds: readonly number[];
  readonly probabilities: readonly number[];
}

export function loadSamplingGolden(): SamplingGolden {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'data/sampling.json'), 'utf8')) as SamplingGolden;
}
