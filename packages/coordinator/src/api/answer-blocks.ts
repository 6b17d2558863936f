import { type ChatPart } from '../text/chat-part.js';
import { randomHex } from './random-hex.js';

/** A run of one kind in an answer. `id` is the same from its first piece to its last. */
export type AnswerBlock =
  | { readonly kind: 'reasoning' | 'text'; readonly id: string; readonly text: string }
  /** `text` is the JSON object of its arguments. */
  | { readonly kind: 'call'; readonly id: string; readonly text: string; readonly name: string };

export type BlockEvent =
  /** A block begins; its text is empty. */
  | { readonly type: 'open'; readonly index: number; readonly block: AnswerBlock }
  | { readonly type: 'delta'; readonly index: number; readonly block: AnswerBlock; readonly text: string }
  /** It is complete. */
  | { readonly type: 'close'; readonly index: number; readonly block: AnswerBlock };

/**
 * Puts the pieces of an answer together into blocks that follow each other, for dialects whose answers are lists: a
 * block is closed before the next one is opened.
 */
export class AnswerBlocks {
  #open: AnswerBlock | undefined;
  #index = 0;
  #texts: string[] = [];

  push(part: ChatPart): BlockEvent[] {
    const events = this.#continues(part) ? [] : [...this.end(), this.#begin(part)];
    if (part.kind !== 'call_start') events.push(...this.#append(part.text));
    return events;
  }

  /** Closes the block that is open, if there is one. */
  end(): BlockEvent[] {
    if (this.#open === undefined) return [];
    const block = { ...this.#open, text: this.#texts.join('') };
    this.#open = undefined;
    return [{ type: 'close', index: this.#index++, block }];
  }

  #continues(part: ChatPart): boolean {
    return part.kind !== 'call_start' && this.#open?.kind === KINDS[part.kind];
  }

  #begin(part: ChatPart): BlockEvent {
    const base = { id: randomHex(), text: '' };
    this.#open =
      part.kind === 'call_start'
        ? { ...base, kind: 'call', name: part.name }
        : { ...base, kind: part.kind === 'reasoning' ? 'reasoning' : 'text' };
    this.#texts = [];
    return { type: 'open', index: this.#index, block: this.#open };
  }

  #append(text: string): BlockEvent[] {
    if (text === '' || this.#open === undefined) return [];
    this.#texts.push(text);
    return [{ type: 'delta', index: this.#index, block: this.#open, text }];
  }
}

const KINDS = { reasoning: 'reasoning', content: 'text', call_start: 'call', call_arguments: 'call' } as const;
