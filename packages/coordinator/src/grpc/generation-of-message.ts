import {
  type Constraint as ConstraintMessage,
  type GenerateRequest,
} from '@expertmesh/shared/gen/expertmesh/v1/inference';
import { type GenerationRequest } from '../generation/generation-request.js';
import { type Constraint } from '../sampling/grammar/constraint.js';
import { jsonField } from './json-field.js';

/** Everything that a request says besides its prompt. */
export type GenerationFields = Omit<GenerationRequest, 'promptTokenIds' | 'constraint' | 'thinking'>;

export function generationRequestOf(request: GenerateRequest, promptTokenIds: readonly number[]): GenerationRequest {
  return { ...generationFieldsOf(request), promptTokenIds, constraint: constraintOf(request.constraint) };
}

/** In protobuf's messages, lists and texts that were not sent are empty, and numbers 0. */
export function generationFieldsOf(request: GenerateRequest): GenerationFields {
  const logitBias = Object.entries(request.logitBias).map(([tokenId, bias]) => [Number(tokenId), bias] as const);
  return {
    maxTokens: request.maxTokens,
    minTokens: request.minTokens,
    sampling: request.sampling,
    logitBias: new Map(logitBias),
    badWords: request.badWords,
    allowedTokenIds: request.allowedTokenIds.length === 0 ? undefined : request.allowedTokenIds,
    logprobs: request.logprobs,
    promptLogprobs: request.promptLogprobs,
    numAnswers: request.numAnswers === 0 ? undefined : request.numAnswers,
    bestOf: request.bestOf,
    priority: request.priority,
    cacheSalt: request.cacheSalt === '' ? undefined : request.cacheSalt,
    timeoutMs: request.timeoutMs,
    stopStrings: request.stop,
    stopTokenIds: request.stopTokenIds,
    ignoreEos: request.ignoreEos,
    includeStop: request.includeStop,
    skipSpecialTokens: !request.keepSpecialTokens,
    truncatePromptTokens: request.truncatePromptTokens,
  };
}

export function constraintOf(message: ConstraintMessage | undefined): Constraint | undefined {
  const kind = message?.kind;
  switch (kind?.$case) {
    case 'jsonObject':
      return kind.value ? { kind: 'json_object' } : undefined;
    case 'jsonSchema':
      return { kind: 'json_schema', schema: jsonField('constraint.json_schema', kind.value) };
    case 'regex':
      return { kind: 'regex', pattern: kind.value };
    case 'choice':
      return { kind: 'choice', choices: kind.value.choices };
    case 'grammar':
      return { kind: 'grammar', source: kind.value };
    case undefined:
      return undefined;
  }
}
