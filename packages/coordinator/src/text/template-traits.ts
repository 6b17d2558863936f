import { type ToolCallFormat } from '../sampling/grammar/constraint.js';
import { formatOfTemplate } from './tools/tool-call-formats.js';

/** What a chat template can do, by what its text speaks of. */
export interface TemplateTraits {
  readonly takesTools: boolean;
  readonly takesDocuments: boolean;
  /** How it shows calls to the model. */
  readonly callFormat: ToolCallFormat;
  /** It writes or reads the marks of thinking. */
  readonly knowsThinking: boolean;
  /** `enable_thinking` switches thinking. */
  readonly switchesThinking: boolean;
  /** It takes thinking out of earlier answers that still have it in their text. */
  readonly stripsThinking: boolean;
}

export function traitsOfTemplate(source: string): TemplateTraits {
  return {
    takesTools: /\btools\b/u.test(source),
    takesDocuments: /\bdocuments\b/u.test(source),
    callFormat: formatOfTemplate(source),
    knowsThinking: source.includes('think>'),
    switchesThinking: /\benable_thinking\b/u.test(source),
    stripsThinking: source.includes("'</think>' in") || source.includes('"</think>" in'),
  };
}
