import { type ChatPart } from './chat-part.js';

/** Parts as they are found, in as few pieces as they can be told in. */
export class PartList {
  #parts: ChatPart[] = [];
  #numCalls = 0;

  get numCalls(): number {
    return this.#numCalls;
  }

  addText(kind: 'reasoning' | 'content', text: string): void {
    const last = this.#parts.at(-1);
    if (text === '') return;
    if (last?.kind === kind) this.#parts[this.#parts.length - 1] = { kind, text: last.text + text };
    else this.#parts.push({ kind, text });
  }

  startCall(name: string): void {
    this.#parts.push({ kind: 'call_start', callIndex: this.#numCalls++, name });
  }

  /** Of the call that has been started last. */
  addArguments(text: string): void {
    const callIndex = this.#numCalls - 1;
    const last = this.#parts.at(-1);
    if (text === '') return;
    if (last?.kind === 'call_arguments') this.#parts[this.#parts.length - 1] = { ...last, text: last.text + text };
    else this.#parts.push({ kind: 'call_arguments', callIndex, text });
  }

  /** What has been added since the last time. */
  drain(): ChatPart[] {
    const parts = this.#parts;
    this.#parts = [];
    return parts;
  }
}
