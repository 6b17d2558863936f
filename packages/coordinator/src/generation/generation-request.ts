import { type SequenceRequest } from '../engine/engine-client.js';
import { RequestError } from './request-error.js';
import { resolveSampling, type SamplingOverrides } from './sampling-overrides.js';
import { type ServedModel } from './served-model.js';

/** What every way in (chat, completions, gRPC) asks for, before defaults and limits. */
export interface GenerationRequest {
  readonly promptTokenIds: readonly number[];
  /** Absent means as many as fit. */
  readonly maxTokens?: number | undefined;
  readonly sampling: SamplingOverrides;
  readonly stopStrings: readonly string[];
  readonly stopTokenIds: readonly number[];
  readonly ignoreEos: boolean;
  readonly includeStop: boolean;
  readonly skipSpecialTokens: boolean;
  /** What the client calls these fields, for errors; without them they are "prompt" and "max_tokens". */
  readonly fieldNames?: FieldNames | undefined;
}

interface FieldNames {
  readonly prompt: string;
  readonly maxTokens: string;
}

const DEFAULT_FIELD_NAMES: FieldNames = { prompt: 'prompt', maxTokens: 'max_tokens' };
const MAX_STOP_STRINGS = 16;
const MAX_STOP_CHARS = 1024;
const MAX_STOP_TOKEN_IDS = 1024;

/**
 * Applies the model's defaults and checks everything against its limits.
 *
 * @throws RequestError naming the field, the value and the limit.
 */
export function toSequenceRequest(model: ServedModel, request: GenerationRequest): SequenceRequest {
  const { promptTokenIds, stopStrings, stopTokenIds, fieldNames = DEFAULT_FIELD_NAMES } = request;
  const { maxModelLen, vocabSize } = model.engine.limits;
  checkTokenIds(promptTokenIds, fieldNames.prompt, vocabSize);
  checkTokenIds(stopTokenIds, 'stop_token_ids', vocabSize);
  checkStops(stopStrings, stopTokenIds);
  return {
    promptTokenIds,
    maxTokens: resolveMaxTokens(promptTokenIds.length, request.maxTokens, maxModelLen, fieldNames),
    sampling: resolveSampling(request.sampling, model.defaults.sampling),
    stopTokenIds: request.ignoreEos ? stopTokenIds : [...new Set([...model.defaults.eosTokenIds, ...stopTokenIds])],
  };
}

function resolveMaxTokens(
  numPromptTokens: number,
  maxTokens: number | undefined,
  maxModelLen: number,
  fieldNames: FieldNames,
): number {
  const { prompt: promptParam, maxTokens: maxTokensParam } = fieldNames;
  if (numPromptTokens === 0)
    throw new RequestError('invalid_value', 'The prompt is empty: it has no token', promptParam);
  if (maxTokens !== undefined && (maxTokens < 1 || !Number.isInteger(maxTokens))) {
    throw new RequestError(
      'invalid_value',
      `${maxTokensParam} must be an integer of at least 1; it is ${String(maxTokens)}`,
      maxTokensParam,
    );
  }
  const room = maxModelLen - numPromptTokens;
  const limit = `This model's maximum context length is ${String(maxModelLen)} tokens`;
  if (room < 1) {
    throw new RequestError(
      'context_length_exceeded',
      `${limit}; the prompt has ${String(numPromptTokens)} and leaves no room for an answer. Shorten the prompt`,
      promptParam,
    );
  }
  if (maxTokens !== undefined && maxTokens > room) {
    throw new RequestError(
      'context_length_exceeded',
      `${limit}; the prompt has ${String(numPromptTokens)} and ${maxTokensParam} asks for ${String(maxTokens)} more. ` +
        `Ask for at most ${String(room)}, or shorten the prompt`,
      maxTokensParam,
    );
  }
  return maxTokens ?? room;
}

function checkStops(stopStrings: readonly string[], stopTokenIds: readonly number[]): void {
  checkCount('stop', stopStrings.length, MAX_STOP_STRINGS);
  checkCount('stop_token_ids', stopTokenIds.length, MAX_STOP_TOKEN_IDS);
  for (const stop of stopStrings) {
    if (stop.length >= 1 && stop.length <= MAX_STOP_CHARS) continue;
    throw new RequestError(
      'invalid_value',
      `A stop string must have 1 to ${String(MAX_STOP_CHARS)} characters; one has ${String(stop.length)}`,
      'stop',
    );
  }
}

function checkCount(param: string, count: number, max: number): void {
  if (count <= max) return;
  throw new RequestError(
    'invalid_value',
    `${param} may have at most ${String(max)} entries; it has ${String(count)}`,
    param,
  );
}

function checkTokenIds(tokenIds: readonly number[], param: string, vocabSize: number): void {
  const wrong = tokenIds.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
  if (wrong === undefined) return;
  throw new RequestError(
    'invalid_value',
    `${param} has token ${String(wrong)}; this model's tokens are 0 to ${String(vocabSize - 1)}`,
    param,
  );
}
