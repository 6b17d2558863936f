import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { kvCacheBytes } from '../kv/kv-cache.js';
import { checkAnswerRequest } from '../sampling/check-answer-request.js';
import { type SequenceRequest } from './engine-client.js';

/** The bounds that a sequence must fit. */
export interface SequenceBounds {
  readonly maxModelLen: number;
  readonly kvCacheBudgetBytes: number;
}

/**
 * Checks that a sequence can ever run, and returns the KV-cache bytes that it needs at most.
 *
 * @throws ExpertmeshError `invalid_argument` naming the value, the limit and the remedy.
 */
export function requiredKvBytes(spec: ModelSpec, request: SequenceRequest, bounds: SequenceBounds): number {
  const numPrompt = request.promptTokenIds.length;
  const numTotal = numPrompt + request.maxTokens;
  if (numPrompt === 0) refuse('prompt', 'the prompt has no tokens; send at least one');
  if (!Number.isInteger(request.maxTokens) || request.maxTokens < 1)
    refuse('max_tokens', `max_tokens must be an integer of at least 1, is ${String(request.maxTokens)}`);
  if (numTotal > bounds.maxModelLen)
    refuse(
      'max_tokens',
      `the prompt has ${String(numPrompt)} tokens and max_tokens is ${String(request.maxTokens)}, together more than the ` +
        `context length of ${String(bounds.maxModelLen)}; shorten the prompt or lower max_tokens`,
    );
  for (const tokenId of request.promptTokenIds)
    if (!Number.isInteger(tokenId) || tokenId < 0 || tokenId >= spec.vocabSize)
      refuse('prompt', `token id ${String(tokenId)} is not in the vocabulary (0 to ${String(spec.vocabSize - 1)})`);
  checkAnswerRequest(request, spec.vocabSize);
  const needed = kvCacheBytes(spec, numTotal);
  if (needed > bounds.kvCacheBudgetBytes)
    refuse(
      'max_tokens',
      `${String(numTotal)} tokens (prompt and max_tokens) need ${String(needed)} bytes of KV cache, the coordinator has ` +
        `${String(bounds.kvCacheBudgetBytes)}; lower max_tokens, or raise the coordinator's --kv-cache-bytes`,
    );
  return needed;
}

function refuse(param: string, message: string): never {
  throw new ExpertmeshError('invalid_argument', message, { param });
}
