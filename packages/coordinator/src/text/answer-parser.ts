import { CallsInThinking } from './calls-in-thinking.js';
import { type ChatPart } from './chat-part.js';
import { ReasoningSplitter, type TextPart } from './reasoning-splitter.js';
import { type ToolOffer, ToolCallParser } from './tool-call-parser.js';

export interface AnswerParserOptions {
  readonly startsInThinking: boolean;
  /** Absent where no tools were offered: what looks like a call is content. */
  readonly toolOffer: ToolOffer | undefined;
}

/**
 * Takes an assistant's text apart as it arrives: thinking, then content, with tool calls inside when tools were
 * offered. Calls in thinking that is never closed are calls, too.
 */
export class AnswerParser {
  readonly #reasoning: ReasoningSplitter;
  readonly #toolCalls: ToolCallParser | undefined;
  readonly #inThinking: CallsInThinking | undefined;

  constructor({ startsInThinking, toolOffer }: AnswerParserOptions) {
    this.#reasoning = new ReasoningSplitter({ startsInThinking });
    this.#toolCalls = toolOffer && new ToolCallParser(toolOffer);
    this.#inThinking = toolOffer && new CallsInThinking(toolOffer);
  }

  /** Calls of which all is there. */
  get numCompleteCalls(): number {
    return this.#toolCalls?.numCompleteCalls ?? 0;
  }

  push(text: string): ChatPart[] {
    return this.#parse(this.#reasoning.push(text));
  }

  /** The parts held back, once it is known that no more text follows, because the answer has ended or was cut. */
  flush(options: { readonly isCut: boolean }): ChatPart[] {
    const parts = this.#parse(this.#reasoning.flush());
    if (this.#reasoning.isThinking) return [...parts, ...(this.#inThinking?.flush(options) ?? [])];
    return [...parts, ...(this.#toolCalls?.flush(options) ?? [])];
  }

  #parse(parts: readonly TextPart[]): ChatPart[] {
    const parsed = parts.flatMap(({ kind, text }): readonly ChatPart[] => {
      if (kind === 'reasoning') return this.#inThinking?.push(text) ?? [{ kind, text }];
      return [...this.#releaseThinking(), ...(this.#toolCalls?.push(text) ?? [{ kind, text }])];
    });
    return this.#reasoning.isThinking ? parsed : [...parsed, ...this.#releaseThinking()];
  }

  /** Once thinking has been closed, all in it was thinking. */
  #releaseThinking(): readonly ChatPart[] {
    return this.#inThinking?.release() ?? [];
  }
}
