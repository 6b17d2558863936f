import { partialMatchLength } from './partial-match.js';

export interface StopMatch {
  /** Text that is now certain. */
  readonly text: string;
  /** The stop string that was found; the text ends before it (or after it, when it is to be included). */
  readonly stoppedAt?: string;
}

/**
 * Finds stop strings in text that arrives in pieces, and holds back an end that may become one. The stop string that is
 * complete first wins, and of those that end together the longest, so that the result does not depend on the pieces.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  readonly #includeStop: boolean;
  #held = '';

  constructor(stops: readonly string[], options: { readonly includeStop: boolean }) {
    this.#stops = stops;
    this.#includeStop = options.includeStop;
  }

  push(text: string): StopMatch {
    const candidate = this.#held + text;
    const match = firstComplete(candidate, this.#stops);
    if (match !== undefined) {
      this.#held = '';
      const { stop, start, end } = match;
      return { text: candidate.slice(0, this.#includeStop ? end : start), stoppedAt: stop };
    }
    const heldLength = Math.max(0, ...this.#stops.map((stop) => partialMatchLength(candidate, stop)));
    this.#held = candidate.slice(candidate.length - heldLength);
    return { text: candidate.slice(0, candidate.length - heldLength) };
  }

  /** The text held back, once it is known that no more follows. */
  flush(): string {
    const held = this.#held;
    this.#held = '';
    return held;
  }
}

interface Span {
  readonly stop: string;
  readonly start: number;
  readonly end: number;
}

function firstComplete(text: string, stops: readonly string[]): Span | undefined {
  let first: Span | undefined;
  for (const stop of stops) {
    const start = text.indexOf(stop);
    if (start < 0) continue;
    const end = start + stop.length;
    if (first === undefined || end < first.end || (end === first.end && start < first.start))
      first = { stop, start, end };
  }
  return first;
}
