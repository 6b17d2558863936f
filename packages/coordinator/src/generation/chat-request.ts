import { type Constraint } from '../sampling/grammar/constraint.js';
import { type TemplateMessage } from '../text/chat-template.js';
import { type GenerationRequest } from './generation-request.js';

/** A chat request as every dialect of the API asks for it, before templates, defaults and limits. */
export interface ChatRequest {
  /**
   * Arguments of calls in history may be JSON as text, as clients send them, or values: templates get them as objects.
   */
  readonly messages: readonly TemplateMessage[];
  /** Function definitions in OpenAI's form, as the client wrote them: templates print them as JSON. */
  readonly tools?: readonly ToolDefinition[] | undefined;
  /** `auto` if absent. */
  readonly toolChoice?: ToolChoice | undefined;
  /** True if absent. */
  readonly parallelToolCalls?: boolean | undefined;
  readonly thinking?: ThinkingRequest | undefined;
  /** True if absent. */
  readonly addGenerationPrompt?: boolean | undefined;
  /** The answer goes on with the last message, which is the assistant's; needs `addGenerationPrompt: false`. */
  readonly continueFinalMessage?: boolean | undefined;
  /** Variables of the template's own; `enable_thinking` counts where `thinking.mode` is absent, `"auto"` included. */
  readonly templateVariables?: Readonly<Record<string, unknown>> | undefined;
  /** A template instead of the model's own. */
  readonly chatTemplate?: string | undefined;
  /** Texts for templates that have a place for them. */
  readonly documents?: readonly unknown[] | undefined;
  /** What the answer must look like; not together with a `toolChoice` that forces calls. */
  readonly constraint?: Constraint | undefined;
  readonly generation: Omit<GenerationRequest, 'promptTokenIds' | 'constraint' | 'thinking'>;
}

/** A tool as the client wrote it, and what is read of it. */
export interface ToolDefinition {
  /** As it came, in OpenAI's form `{"type": "function", "function": {...}}`: the order of keys counts. */
  readonly source: unknown;
  readonly name: string;
  /** JSON Schema of its arguments; absent for a function without. */
  readonly parameters: unknown;
  readonly strict: boolean;
}

export type ToolChoice = 'auto' | 'none' | 'required' | { readonly named: string };

export interface ThinkingRequest {
  /** The model decides where it is `auto`; absent leaves it to soft switches in the messages and the template. */
  readonly mode?: boolean | 'auto' | undefined;
  /** Thinking is closed when it has so many tokens; 0 switches it off. */
  readonly budgetTokens?: number | undefined;
  /** Mapped to a budget where none is given; `none` switches thinking off. */
  readonly effort?: ReasoningEffort | undefined;
}

export type ReasoningEffort = 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh';
