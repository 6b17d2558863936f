import { type SequenceOutput } from '../engine/engine-client.js';
import { type TextDelta } from './text-delta.js';

/** What the first output of a request says of its prompt, for the first delta. */
export function promptNewsOf({ promptLogprobs, numCachedTokens }: SequenceOutput): Partial<TextDelta> {
  return {
    ...(promptLogprobs && { promptLogprobs }),
    ...(numCachedTokens !== undefined && { cachedTokens: numCachedTokens }),
  };
}
