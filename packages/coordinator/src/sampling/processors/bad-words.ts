import { type LogitProcessor } from './logit-processor.js';

/** Forbids the last token of a sequence where the answer ends with the tokens before it. */
export class BadWords implements LogitProcessor {
  readonly field = 'bad_words';
  readonly #words: readonly (readonly number[])[];

  constructor(words: readonly (readonly number[])[]) {
    this.#words = words;
  }

  apply(logits: Float32Array, answer: readonly number[]): void {
    for (const word of this.#words) {
      const last = word.at(-1);
      if (last !== undefined && endsWithStartOf(answer, word)) logits[last] = -Infinity;
    }
  }
}

/** Whether the answer ends with all tokens of the word but its last. */
function endsWithStartOf(answer: readonly number[], word: readonly number[]): boolean {
  const start = answer.length - (word.length - 1);
  for (let index = 0; index < word.length - 1; index++) if (answer[start + index] !== word[index]) return false;
  return true;
}
