import { ReasoningSplitter, type TextPart } from './reasoning-splitter.js';
import { type AnswerPart, ToolCallParser } from './tool-call-parser.js';

export type ChatPart = { readonly kind: 'reasoning'; readonly text: string } | AnswerPart;

/**
 * Takes an assistant's text apart as it arrives: thinking, then content, with tool calls inside when tools were
 * offered.
 */
export class AnswerParser {
  readonly #reasoning: ReasoningSplitter;
  readonly #toolCalls: ToolCallParser | undefined;

  constructor(options: { readonly startsInThinking: boolean; readonly parseToolCalls: boolean }) {
    this.#reasoning = new ReasoningSplitter(options);
    this.#toolCalls = options.parseToolCalls ? new ToolCallParser() : undefined;
  }

  push(text: string): ChatPart[] {
    return this.#parseContent(this.#reasoning.push(text));
  }

  /** The parts held back, once it is known that no more text follows. */
  flush(): ChatPart[] {
    return [...this.#parseContent(this.#reasoning.flush()), ...(this.#toolCalls?.flush() ?? [])];
  }

  #parseContent(parts: readonly TextPart[]): ChatPart[] {
    return parts.flatMap(({ kind, text }): ChatPart[] =>
      kind === 'content' && this.#toolCalls !== undefined ? this.#toolCalls.push(text) : [{ kind, text }],
    );
  }
}
