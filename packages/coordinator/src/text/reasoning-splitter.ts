import { partialMatchLength } from './partial-match.js';

export const THINK_OPEN = '<think>';
export const THINK_CLOSE = '</think>';

export interface TextPart {
  readonly kind: 'reasoning' | 'content';
  readonly text: string;
}

/** Whether generation after this prompt begins inside thinking, because the chat template has opened it already. */
export function opensThinking(prompt: string): boolean {
  return prompt.trimEnd().endsWith(THINK_OPEN);
}

/**
 * Separates thinking from the answer in text that arrives in pieces. Thinking is what stands between `<think>` at the
 * very beginning and `</think>`, without the newlines around it; an answer that is cut inside is all thinking. A
 * `<think>` further on is content: the model speaks about it.
 */
export class ReasoningSplitter {
  #state: 'start' | 'thinking' | 'content';
  #held = '';
  #skipNewlines: boolean;

  constructor(options: { readonly startsInThinking: boolean }) {
    this.#state = options.startsInThinking ? 'thinking' : 'start';
    this.#skipNewlines = options.startsInThinking;
  }

  get isThinking(): boolean {
    return this.#state === 'thinking';
  }

  push(text: string): TextPart[] {
    return this.#advance(this.#held + text, false);
  }

  /** The parts held back, once it is known that no more text follows. */
  flush(): TextPart[] {
    return this.#advance(this.#held, true);
  }

  #advance(text: string, isFinal: boolean): TextPart[] {
    this.#held = '';
    switch (this.#state) {
      case 'start':
        return this.#advanceStart(text, isFinal);
      case 'thinking':
        return this.#advanceThinking(text, isFinal);
      case 'content':
        return part('content', this.#withoutLeadingNewlines(text));
    }
  }

  #advanceStart(text: string, isFinal: boolean): TextPart[] {
    const beginning = text.trimStart();
    if (beginning.startsWith(THINK_OPEN)) {
      this.#state = 'thinking';
      this.#skipNewlines = true;
      return this.#advanceThinking(beginning.slice(THINK_OPEN.length), isFinal);
    }
    if (!isFinal && THINK_OPEN.startsWith(beginning)) {
      this.#held = text;
      return [];
    }
    this.#state = 'content';
    return part('content', text);
  }

  #advanceThinking(text: string, isFinal: boolean): TextPart[] {
    const thinking = this.#withoutLeadingNewlines(text);
    const closeIndex = thinking.indexOf(THINK_CLOSE);
    if (closeIndex >= 0) {
      this.#state = 'content';
      this.#skipNewlines = true;
      const content = this.#withoutLeadingNewlines(thinking.slice(closeIndex + THINK_CLOSE.length));
      return [
        ...part('reasoning', withoutTrailingNewlines(thinking.slice(0, closeIndex))),
        ...part('content', content),
      ];
    }
    const certain = isFinal
      ? withoutTrailingNewlines(thinking)
      : withoutTrailingNewlines(thinking.slice(0, thinking.length - partialMatchLength(thinking, THINK_CLOSE)));
    this.#held = isFinal ? '' : thinking.slice(certain.length);
    return part('reasoning', certain);
  }

  #withoutLeadingNewlines(text: string): string {
    if (!this.#skipNewlines) return text;
    const rest = text.replace(/^\n+/, '');
    if (rest !== '') this.#skipNewlines = false;
    return rest;
  }
}

const part = (kind: TextPart['kind'], text: string): TextPart[] => (text === '' ? [] : [{ kind, text }]);

function withoutTrailingNewlines(text: string): string {
  let end = text.length;
  while (text[end - 1] === '\n') end--;
  return text.slice(0, end);
}
