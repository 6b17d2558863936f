import { z } from 'zod';
import { jsonMember } from './json-member.js';
import { partialMatchLength } from './partial-match.js';

export interface ToolCall {
  readonly name: string;
  /** A JSON object, as text, as the model wrote it. */
  readonly arguments: string;
}

export type AnswerPart =
  { readonly kind: 'content'; readonly text: string } | { readonly kind: 'tool_call'; readonly call: ToolCall };

const TOOL_CALL_OPEN = '<tool_call>';
const TOOL_CALL_CLOSE = '</tool_call>';

/**
 * Takes `<tool_call>{"name": ..., "arguments": {...}}</tool_call>` blocks out of content that arrives in pieces. A call
 * comes out when its block is complete; whitespace before a block, and after one where no text goes on, is dropped. A
 * block that is cut or is not such JSON stays content, unchanged.
 */
export class ToolCallParser {
  #held = '';
  #afterCall = false;
  #hasContent = false;

  push(text: string): AnswerPart[] {
    this.#held += text;
    const parts: AnswerPart[] = [];
    for (let block = this.#takeBlock(parts); block !== undefined; block = this.#takeBlock(parts)) {
      const call = parseToolCall(block);
      if (call === undefined) this.#pushContent(parts, block);
      else parts.push({ kind: 'tool_call', call });
      this.#afterCall = call !== undefined;
    }
    return parts;
  }

  /** What is held back, once it is known that no more text follows. */
  flush(): AnswerPart[] {
    const parts: AnswerPart[] = [];
    this.#pushContent(parts, this.#held);
    this.#held = '';
    return parts;
  }

  /**
   * Passes on the content before the next block, and returns that block (with the whitespace before it) if it is
   * complete.
   */
  #takeBlock(parts: AnswerPart[]): string | undefined {
    const openIndex = this.#held.indexOf(TOOL_CALL_OPEN);
    const contentLength =
      openIndex >= 0 ? openIndex : this.#held.length - partialMatchLength(this.#held, TOOL_CALL_OPEN);
    const content = this.#held.slice(0, contentLength).trimEnd();
    this.#pushContent(parts, content);
    this.#held = this.#held.slice(content.length);
    if (openIndex < 0) return undefined;

    const closeIndex = this.#held.indexOf(TOOL_CALL_CLOSE);
    if (closeIndex < 0) return undefined;
    const block = this.#held.slice(0, closeIndex + TOOL_CALL_CLOSE.length);
    this.#held = this.#held.slice(block.length);
    return block;
  }

  #pushContent(parts: AnswerPart[], content: string): void {
    const isSeparator = this.#afterCall && (!this.#hasContent || content.trim() === '');
    const text = isSeparator ? content.trimStart() : content;
    if (text === '') return;
    this.#afterCall = false;
    this.#hasContent = true;
    parts.push({ kind: 'content', text });
  }
}

const toolCallSchema = z.object({ name: z.string().min(1), arguments: z.record(z.string(), z.unknown()) });

function parseToolCall(block: string): ToolCall | undefined {
  const json = block.trimStart().slice(TOOL_CALL_OPEN.length, -TOOL_CALL_CLOSE.length);
  const { success, data } = toolCallSchema.safeParse(parseJson(json));
  const argumentsText = jsonMember(json, 'arguments');
  return success && argumentsText !== undefined ? { name: data.name, arguments: argumentsText } : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The model wrote something else; the caller keeps it as content.
    return undefined;
  }
}
