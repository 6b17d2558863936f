import { type ChatPart } from './chat-part.js';
import { partialMatchLength } from './partial-match.js';
import { type ToolOffer, ToolCallParser } from './tool-call-parser.js';

const CALL_OPEN = '<tool_call>';

/**
 * Watches thinking for calls: a model may forget to close it before it calls, and then ends its answer there. So what
 * looks like calls, with nothing else behind, is held back until thinking is closed, and was thinking, or the answer
 * ends, and was calls.
 */
export class CallsInThinking {
  readonly #toolOffer: ToolOffer;
  /** Text from the first opening on, and whitespace before it. */
  #held = '';
  /** Reads what is held; absent while nothing looks like a call. */
  #trial: ToolCallParser | undefined;
  #trialParts: ChatPart[] = [];

  constructor(toolOffer: ToolOffer) {
    this.#toolOffer = toolOffer;
  }

  push(text: string): ChatPart[] {
    let released = '';
    let rest = text;
    while (rest !== '') {
      if (this.#trial === undefined) {
        const candidate = this.#held + rest;
        const start = startOfCall(candidate);
        released += candidate.slice(0, start);
        this.#held = candidate.slice(start);
        if (!this.#held.trimStart().startsWith(CALL_OPEN)) break;
        this.#trial = new ToolCallParser(this.#toolOffer);
        rest = this.#held;
        this.#held = '';
      }
      const [char = ''] = rest;
      this.#held += char;
      rest = rest.slice(char.length);
      this.#try(char);
      if (this.#trialParts.some(({ kind }) => kind === 'content')) released += this.#takeHeld();
    }
    return reasoning(released);
  }

  /** Thinking has been closed. */
  release(): ChatPart[] {
    return reasoning(this.#takeHeld());
  }

  /** The answer has ended without closing it. */
  flush(options: { readonly isCut: boolean }): ChatPart[] {
    if (options.isCut && this.#trial?.numCompleteCalls === 0) return this.release();
    const parts = [...this.#trialParts, ...(this.#trial?.flush(options) ?? [])];
    return parts.some(({ kind }) => kind === 'call_start') ? parts : this.release();
  }

  #try(char: string): void {
    this.#trialParts.push(...(this.#trial?.push(char) ?? []));
  }

  #takeHeld(): string {
    const held = this.#held;
    this.#held = '';
    this.#trial = undefined;
    this.#trialParts = [];
    return held;
  }
}

const reasoning = (text: string): ChatPart[] => (text === '' ? [] : [{ kind: 'reasoning', text }]);

/** Where a call begins, or may begin, with the whitespace before it; the end of the text if nowhere. */
function startOfCall(text: string): number {
  const open = text.indexOf(CALL_OPEN);
  const before = text.slice(0, open >= 0 ? open : text.length - partialMatchLength(text, CALL_OPEN));
  return before.trimEnd().length;
}
