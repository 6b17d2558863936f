import { checkNumber } from './field-limits.js';
import { type GenerationRequest } from './generation-request.js';
import { FieldError } from './request-error.js';

/** The end of the prompt that a request wants to keep, all of it where it does not say. */
export function keptPrompt(request: GenerationRequest, maxModelLen: number): readonly number[] {
  const { promptTokenIds, truncatePromptTokens: kept, maxTokens = 1 } = request;
  checkNumber('truncatePromptTokens', kept, { min: -1, max: maxModelLen, isInteger: true });
  if (kept === undefined) return promptTokenIds;
  const numKept = kept === -1 ? Math.max(1, maxModelLen - maxTokens) : kept;
  return promptTokenIds.slice(Math.max(0, promptTokenIds.length - numKept));
}

/**
 * Most new tokens: as many as the request asks for, or else as many as fit.
 *
 * @throws FieldError when prompt and answer are longer together than the model allows.
 */
export function resolveMaxTokens(numPromptTokens: number, request: GenerationRequest, maxModelLen: number): number {
  const { maxTokens, promptLogprobs } = request;
  if (numPromptTokens === 0)
    throw new FieldError('invalid_value', 'prompt', () => 'The prompt is empty: it has no token');
  const isPromptEnough = promptLogprobs !== undefined;
  checkNumber('maxTokens', maxTokens, { min: isPromptEnough ? 0 : 1, max: Number.MAX_SAFE_INTEGER, isInteger: true });
  const room = maxModelLen - numPromptTokens;
  const minRoom = maxTokens === 0 ? 0 : 1;
  if (room < minRoom) refusePrompt(numPromptTokens, maxModelLen);
  if (maxTokens !== undefined && maxTokens > room) refuseMaxTokens(numPromptTokens, maxTokens, maxModelLen);
  return maxTokens ?? room;
}

function refusePrompt(numPromptTokens: number, maxModelLen: number): never {
  throw new FieldError(
    'context_length_exceeded',
    'prompt',
    () =>
      `${contextLength(maxModelLen)}; the prompt has ${String(numPromptTokens)} and leaves no room for an answer. ` +
      'Shorten the prompt',
  );
}

function refuseMaxTokens(numPromptTokens: number, maxTokens: number, maxModelLen: number): never {
  throw new FieldError(
    'context_length_exceeded',
    'maxTokens',
    (nameOf) =>
      `${contextLength(maxModelLen)}; the prompt has ${String(numPromptTokens)} and ${nameOf('maxTokens')} asks for ` +
      `${String(maxTokens)} more. Ask for at most ${String(maxModelLen - numPromptTokens)}, or shorten the prompt`,
  );
}

const contextLength = (maxModelLen: number): string =>
  `This model's maximum context length is ${String(maxModelLen)} tokens`;
