import { type TokenLogprobs } from '../sampling/sampling-params.js';
import { type SequenceRequest } from './engine-client.js';

/** A request that has been taken in, with what its answers have in common. */
export interface Submission {
  readonly id: number;
  readonly request: SequenceRequest;
  /** Counts up: an older one has the smaller number. */
  readonly arrivalIndex: number;
  /** On the engine's clock; Infinity for none. */
  readonly deadlineMs: number;
  /** What its answers draw from where the request names no seed. */
  readonly randomSeed: number;
  /** Tokens of the prompt whose keys and values were there already. */
  numCachedTokens: number;
  /** By position in the prompt, as far as they are known; only where they were asked for. */
  readonly promptLogprobs: (TokenLogprobs | undefined)[];
}

/** Whose turn comes first: negative for `a`. Lower numbers of priority first, then the older one. */
export function byRank(a: Submission, b: Submission): number {
  return priorityOf(a) - priorityOf(b) || a.arrivalIndex - b.arrivalIndex;
}

export function priorityOf({ request }: Submission): number {
  return request.priority ?? 0;
}

export function tenantOf({ request }: Submission): string {
  return request.tenant ?? '';
}

/** Of one that wants them, log-probabilities of prompt tokens are still to be computed. */
export function lacksPromptLogprobs({ request, promptLogprobs }: Submission): boolean {
  return request.logprobs?.prompt !== undefined && promptLogprobs.length < request.promptTokenIds.length;
}
