import { type SamplingParams } from '../sampling/sampling-params.js';

/** What a refusal can be about: fields of GenerationRequest and ChatRequest, by our own names. */
export type RequestField =
  | keyof SamplingParams
  | 'model'
  // The prompt as text or tokens; of a chat, its messages.
  | 'prompt'
  | 'maxTokens'
  | 'resumedTokenIds'
  | 'minTokens'
  | 'logitBias'
  | 'badWords'
  | 'allowedTokenIds'
  | 'logprobs'
  | 'promptLogprobs'
  | 'numAnswers'
  | 'bestOf'
  | 'constraint'
  | 'priority'
  | 'cacheSalt'
  | 'timeoutMs'
  | 'stopStrings'
  | 'stopTokenIds'
  | 'truncatePromptTokens'
  | 'tools'
  | 'toolChoice'
  | 'parallelToolCalls'
  | 'thinkingMode'
  | 'thinkingBudget'
  | 'reasoningEffort'
  | 'addGenerationPrompt'
  | 'continueFinalMessage'
  | 'templateVariables'
  | 'chatTemplate'
  | 'documents';

/** How a dialect of the API calls a field of ours. */
export type NameOfField = (field: RequestField) => string;
