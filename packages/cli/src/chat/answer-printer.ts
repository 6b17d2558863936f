import { styleText } from 'node:util';
import { type ConversationEvent } from './conversation.js';

/** Prints an answer as it comes: thinking dimmed, then the answer, then how fast it was. */
export class AnswerPrinter {
  readonly #output: NodeJS.WritableStream;
  readonly #nowMs: () => number;
  #startMs: number;
  #firstMs: number | undefined;
  #lastKind: ConversationEvent['kind'] | undefined;

  constructor(output: NodeJS.WritableStream, nowMs: () => number = () => performance.now()) {
    this.#output = output;
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
  }

  print(event: ConversationEvent): void {
    if (event.kind === 'results') {
      this.#goOn();
      return;
    }
    this.#firstMs ??= this.#nowMs();
    switch (event.kind) {
      case 'reasoning':
        this.#write(this.#dim(event.text));
        break;
      case 'content':
        this.#write(this.#lastKind === 'reasoning' ? `\n\n${event.text}` : event.text);
        break;
      case 'calls':
        for (const { function: called } of event.calls) this.#write(`\n${called.name} ${called.arguments}`);
        break;
      case 'finish':
        return;
      case 'usage':
        this.#write(this.#dim(`\n${this.#speed(event.completionTokens, this.#firstMs)}`));
    }
    this.#lastKind = event.kind;
  }

  /** Ends the answer's line, after a note where it was broken off. */
  end(note?: string): void {
    this.#write(note === undefined ? '\n' : this.#dim(`\n${note}\n`));
  }

  /** The model reads the results of its calls, and answers anew. */
  #goOn(): void {
    this.#startMs = this.#nowMs();
    this.#firstMs = undefined;
    this.#lastKind = undefined;
  }

  #speed(numTokens: number, firstMs: number): string {
    const waitSec = ((firstMs - this.#startMs) / 1000).toFixed(2);
    const decodeMs = this.#nowMs() - firstMs;
    const rate = numTokens > 1 && decodeMs > 0 ? `, ${(((numTokens - 1) * 1000) / decodeMs).toFixed(1)} tokens/s` : '';
    return `[${String(numTokens)} tokens${rate}, first after ${waitSec} s]`;
  }

  /** Plain where the output is no terminal or NO_COLOR is set. */
  #dim(text: string): string {
    return styleText('dim', text, { stream: this.#output });
  }

  #write(text: string): void {
    this.#output.write(text);
  }
}
