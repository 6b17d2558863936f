import { type ToolCallFormat } from '../sampling/grammar/constraint.js';
import { type ChatPart } from './chat-part.js';
import { PartList } from './part-list.js';
import { type Parsing, TextStream } from './tools/text-stream.js';
import { type OfferedTool, type ToolCallSyntax } from './tools/call-syntax.js';
import { syntaxOf } from './tools/tool-call-formats.js';

/** The tools that a model may call, and how it writes calls. */
export interface ToolOffer {
  readonly format: ToolCallFormat;
  readonly tools: readonly OfferedTool[];
}

/**
 * Takes calls out of content that arrives in pieces. Whitespace before a call, and after one where no text goes on, is
 * dropped; what is no call stays content, unchanged.
 */
export class ToolCallParser {
  readonly #syntax: ToolCallSyntax;
  readonly #tools: readonly OfferedTool[];
  readonly #stream = new TextStream();
  readonly #parts = new PartList();
  readonly #parsing: Parsing<void>;
  #isCut = false;
  #numCompleteCalls = 0;
  #hasContent = false;

  constructor({ format, tools }: ToolOffer) {
    this.#syntax = syntaxOf(format);
    this.#tools = tools;
    this.#parsing = this.#parse();
  }

  /** Calls of which all is there. */
  get numCompleteCalls(): number {
    return this.#numCompleteCalls;
  }

  push(text: string): ChatPart[] {
    this.#stream.feed(text);
    this.#parsing.next();
    return this.#parts.drain();
  }

  /** What is held back, once it is known that no more text follows, because the answer has ended or was cut. */
  flush(options: { readonly isCut: boolean }): ChatPart[] {
    this.#isCut = options.isCut;
    this.#stream.end();
    this.#parsing.next();
    return this.#parts.drain();
  }

  *#parse(): Parsing<void> {
    let isAfterCall = false;
    for (;;) {
      const numSpaces = yield* this.#stream.skipSpace(0);
      const next = yield* this.#stream.at(numSpaces);
      if ((yield* this.#isOpening(numSpaces)) && (yield* this.#takeCall(numSpaces))) {
        isAfterCall = true;
        continue;
      }
      const isSeparator = isAfterCall && (next === '' || !this.#hasContent);
      const spaces = this.#stream.take(numSpaces);
      if (!isSeparator) this.#parts.addText('content', spaces);
      if (next === '') return;
      this.#parts.addText('content', this.#stream.take(1));
      this.#hasContent = true;
      isAfterCall = false;
    }
  }

  *#takeCall(start: number): Parsing<boolean> {
    const context = { tools: this.#tools, parts: this.#parts, isCut: () => this.#isCut };
    const isCall = yield* this.#syntax.parse(this.#stream, start, context);
    if (isCall) this.#numCompleteCalls = this.#parts.numCalls;
    return isCall;
  }

  *#isOpening(offset: number): Parsing<boolean> {
    for (const opening of this.#syntax.openings) if (yield* this.#stream.startsWith(opening, offset)) return true;
    return false;
  }
}
