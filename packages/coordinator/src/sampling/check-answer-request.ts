import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type AnswerRequest } from './answer-request.js';
import { ALL_TOKENS } from './logprobs.js';
import { type LogitControls, type ThinkingControl } from './sampling-params.js';

/**
 * Checks that an answer can be sampled as it is asked for, at this vocabulary.
 *
 * @throws ExpertmeshError `invalid_argument` naming the field, the value and the limit.
 */
export function checkAnswerRequest(request: AnswerRequest, vocabSize: number): void {
  const { controls, thinking, logprobs, maxTokens } = request;
  if (controls !== undefined) checkControls(controls, maxTokens, vocabSize);
  if (thinking !== undefined) checkThinking(thinking);
  checkNumLogprobs('logprobs', logprobs?.answer, vocabSize);
  checkNumLogprobs('prompt_logprobs', logprobs?.prompt, vocabSize);
}

function checkControls(controls: LogitControls, maxTokens: number, vocabSize: number): void {
  const { logitBias, badWords, allowedTokenIds, minTokens } = controls;
  for (const [tokenId, bias] of logitBias ?? []) {
    checkTokenIds('logit_bias', [tokenId], vocabSize);
    if (!Number.isFinite(bias))
      refuse('logit_bias', `a bias must be a finite number; token ${String(tokenId)} has ${String(bias)}`);
  }
  for (const word of badWords ?? []) {
    if (word.length === 0) refuse('bad_words', 'a word has no tokens; leave it out');
    checkTokenIds('bad_words', word, vocabSize);
  }
  if (allowedTokenIds?.length === 0) refuse('allowed_token_ids', 'the list is empty; name a token, or leave it out');
  checkTokenIds('allowed_token_ids', allowedTokenIds ?? [], vocabSize);
  if (minTokens !== undefined && !(Number.isInteger(minTokens) && minTokens >= 0 && minTokens <= maxTokens))
    refuse('min_tokens', `must be an integer from 0 to max_tokens (${String(maxTokens)}); it is ${String(minTokens)}`);
}

function checkThinking({ budgetTokens, closingTokenIds, closeTokenId }: ThinkingControl): void {
  if (budgetTokens === undefined) return;
  if (!Number.isInteger(budgetTokens) || budgetTokens < 0)
    refuse('thinking_token_budget', `must be an integer of at least 0; it is ${String(budgetTokens)}`);
  if (!closingTokenIds.includes(closeTokenId))
    refuse('thinking_token_budget', 'the model has no token that closes thinking; leave it out');
}

function checkNumLogprobs(param: string, count: number | undefined, vocabSize: number): void {
  if (count === undefined || count === ALL_TOKENS) return;
  if (!Number.isInteger(count) || count < 0 || count > vocabSize)
    refuse(param, `must be an integer from 0 to ${String(vocabSize)}, or -1 for all tokens; it is ${String(count)}`);
}

function checkTokenIds(param: string, tokenIds: readonly number[], vocabSize: number): void {
  for (const tokenId of tokenIds)
    if (!Number.isInteger(tokenId) || tokenId < 0 || tokenId >= vocabSize)
      refuse(param, `token id ${String(tokenId)} is not in the vocabulary (0 to ${String(vocabSize - 1)})`);
}

function refuse(param: string, message: string): never {
  throw new ExpertmeshError('invalid_argument', `${param}: ${message}`, { param });
}
