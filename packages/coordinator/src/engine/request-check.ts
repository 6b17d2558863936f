import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { MAX_ANSWERS } from '@expertmesh/shared/limits/limits';
import { BLOCK_TOKENS } from '@expertmesh/kernels/kv-layout';
import { checkAnswerRequest } from '../sampling/check-answer-request.js';
import { type SequenceRequest } from './engine-client.js';

/** The bounds that a sequence must fit. */
export interface SequenceBounds {
  readonly maxModelLen: number;
  readonly vocabSize: number;
  /** Blocks of the KV cache, all of which a sequence may have. */
  readonly numBlocks: number;
}

/**
 * Checks that a request can ever run, if it has to with nothing beside it.
 *
 * @throws ExpertmeshError `invalid_argument` naming the value, the limit and the remedy.
 */
export function checkRequest(request: SequenceRequest, bounds: SequenceBounds): void {
  if (request.promptTokenIds.length === 0) refuse('prompt', 'the prompt has no tokens; send at least one');
  checkMaxTokens(request);
  checkLength(request, bounds);
  checkResumed(request, bounds.vocabSize);
  const { vocabSize } = bounds;
  for (const tokenId of request.promptTokenIds)
    if (!Number.isInteger(tokenId) || tokenId < 0 || tokenId >= vocabSize)
      refuse('prompt', `token id ${String(tokenId)} is not in the vocabulary (0 to ${String(vocabSize - 1)})`);
  checkAnswerRequest(request, vocabSize);
  const { numAnswers = 1 } = request;
  if (!Number.isInteger(numAnswers) || numAnswers < 1 || numAnswers > MAX_ANSWERS)
    refuse('n', `n must be an integer from 1 to ${String(MAX_ANSWERS)}, is ${String(numAnswers)}`);
}

function checkMaxTokens({ maxTokens, logprobs }: SequenceRequest): void {
  const min = logprobs?.prompt === undefined ? 1 : 0;
  if (!Number.isInteger(maxTokens) || maxTokens < min)
    refuse('max_tokens', `max_tokens must be an integer of at least ${String(min)}, is ${String(maxTokens)}`);
}

function checkResumed(request: SequenceRequest, vocabSize: number): void {
  const { resumedTokenIds = [], maxTokens, numAnswers = 1, logprobs } = request;
  if (resumedTokenIds.length === 0) return;
  const param = 'resume_token_ids';
  if (resumedTokenIds.length >= maxTokens)
    refuse(param, `has ${String(resumedTokenIds.length)} tokens, all that max_tokens (${String(maxTokens)}) allows`);
  for (const tokenId of resumedTokenIds)
    if (!Number.isInteger(tokenId) || tokenId < 0 || tokenId >= vocabSize)
      refuse(param, `token id ${String(tokenId)} is not in the vocabulary (0 to ${String(vocabSize - 1)})`);
  if (numAnswers > 1 || logprobs !== undefined)
    refuse(param, 'an answer is resumed alone and without log-probabilities; leave out n, best_of and logprobs');
}

function checkLength({ promptTokenIds, maxTokens }: SequenceRequest, { maxModelLen, numBlocks }: SequenceBounds): void {
  const numPrompt = promptTokenIds.length;
  const numTotal = numPrompt + maxTokens;
  if (numTotal > maxModelLen)
    refuse(
      'max_tokens',
      `the prompt has ${String(numPrompt)} tokens and max_tokens is ${String(maxTokens)}, together more than the ` +
        `context length of ${String(maxModelLen)}; shorten the prompt or lower max_tokens`,
    );
  const capacity = numBlocks * BLOCK_TOKENS;
  if (numPrompt > capacity)
    refuse(
      'prompt',
      `the prompt has ${String(numPrompt)} tokens, the whole KV cache has room for ${String(capacity)}; shorten the ` +
        "prompt, or raise the coordinator's --kv-cache-bytes",
    );
  if (numTotal > capacity)
    refuse(
      'max_tokens',
      `${String(numTotal)} tokens (prompt and max_tokens) are more than the ${String(capacity)} that the whole ` +
        'KV cache ' +
        "has room for; lower max_tokens, or raise the coordinator's --kv-cache-bytes",
    );
}

function refuse(param: string, message: string): never {
  throw new ExpertmeshError('invalid_argument', message, { param });
}
