import { type ErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { type TemplateInput } from '../chat-template.js';

/** What the process of templates is asked for: to parse a template and, where there is an input, to render it. */
export interface TemplateTask {
  readonly source: string;
  readonly specialTokens: Readonly<Record<string, string>>;
  readonly input: TemplateInput | undefined;
}

/** The rendered text, empty where none was asked for; or why there is none. */
export type TemplateAnswer = { readonly text: string } | { readonly error: ErrorData };

/**
 * Time for one template: a hundred thousand messages take Qwen3's some seconds. The process interrupts itself then; it
 * is ended by force where it does not.
 */
export const TEMPLATE_TIMEOUT_MS = 5_000;

/** Longer prompts are refused. No context that there is takes so much. */
export const MAX_RENDERED_CHARS = 64 * 1024 * 1024;

/** Memory for templates and their values; a process that needs more ends. */
export const TEMPLATE_HEAP_MIB = 384;
