import { type RequestField } from '../generation/request-field.js';

/** OpenAI's and vLLM's names are ours in another spelling, but for a few. */
export function openAiFieldName(field: RequestField): string {
  return RENAMED[field] ?? field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

const RENAMED: Readonly<Partial<Record<RequestField, string>>> = {
  stopStrings: 'stop',
  numAnswers: 'n',
  resumedTokenIds: 'resume_token_ids',
  thinkingBudget: 'thinking_token_budget',
  thinkingMode: 'chat_template_kwargs.enable_thinking',
  templateVariables: 'chat_template_kwargs',
  constraint: 'response_format',
};
