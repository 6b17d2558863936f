import { type RequestField } from '../generation/request-field.js';

/** Where InferenceService's names are others than ours in snake case. */
const OTHER_NAMES: Partial<Readonly<Record<RequestField, string>>> = {
  stopStrings: 'stop',
  parallelToolCalls: 'single_tool_call',
  thinkingMode: 'thinking.mode',
  thinkingBudget: 'thinking.budget_tokens',
  reasoningEffort: 'thinking.effort',
};

/** What a field is called in inference.proto. */
export function nameOfField(field: RequestField): string {
  return OTHER_NAMES[field] ?? field.replace(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`);
}
