import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type CompletionRequest } from './completion-client.js';
import { seededRandom } from '@expertmesh/shared/random/seeded-random';

/** Ordinary words, so that every tokenizer makes ordinary tokens of them. */
export const WORD_POOL =
  'The harbour master counts the boats that come home before the storm. Seven children sort red and blue stones ' +
  'by weight, and write the sum of each row in a small book. Every winter the old bridge is painted again; nobody ' +
  'remembers why it was green once. When the train stops at noon, two engineers compare the drawing with the ' +
  'machine, change one number, and ask for more light. Bread, salt, oil and 12 apples cost 9.75 at the market, ' +
  'which is less than it was in 1987.';

export interface PromptPlan {
  readonly model: string;
  readonly numRequests: number;
  readonly numPromptTokens: number;
  readonly numOutputTokens: number;
  readonly seed: number;
}

/**
 * Requests with prompts of exactly the planned length: tokens drawn from a pool, other ones for each request, so that
 * nothing is there to be reused. The same seed gives the same requests.
 */
export function planRequests(plan: PromptPlan, tokenPool: readonly number[]): CompletionRequest[] {
  if (tokenPool.length === 0)
    throw new ExpertmeshError('unavailable', 'the server made no tokens of a text: its tokenizer cannot be used');
  const random = seededRandom(plan.seed);
  const draw = (): number => tokenPool[Math.floor(random() * tokenPool.length)] ?? 0;
  return Array.from({ length: plan.numRequests }, (_, index) => ({
    model: plan.model,
    promptTokenIds: Array.from({ length: plan.numPromptTokens }, draw),
    numTokens: plan.numOutputTokens,
    seed: plan.seed + index,
  }));
}
