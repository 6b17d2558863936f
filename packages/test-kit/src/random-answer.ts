/** What is used of a constraint's state, so that the kit knows neither the source nor the built package. */
export interface ConstrainedAnswer {
  mask(): Uint32Array;
  accept(tokenId: number): void;
  readonly isComplete: boolean;
}

export interface AnswerVocabulary {
  readonly vocabSize: number;
  readonly tokenBytes: { get(tokenId: number): Uint8Array };
  readonly endTokenIds: readonly number[];
}

export interface RandomAnswer {
  readonly text: string;
  /** False when the answer was cut at its longest. */
  readonly isFinished: boolean;
  readonly numTokens: number;
}

/** Tokens up to which anything allowed is taken; from there on what closes most. */
const MAX_FREE_TOKENS = 40;
const MAX_TOKENS = 2000;

/** In the order in which they bring an answer to its end. */
const CLOSING = ['}', ']', '"', ',', ':', 'null', 'true', '0', '1', '.', '[', '{'] as const;

/** What patterns ask for before a text may end. */
const FILLING = ['x', '-', '0', '7', '@', '.', 'a', 'b', 'c', 'o', 'm', 'r', 'g', ' '] as const;

/** Only texts contain it, in which a brace closes nothing. */
const TEXT_ONLY = '~';

/** Draws answers of one vocabulary. */
export class RandomAnswers {
  readonly #vocabulary: AnswerVocabulary;
  readonly #random: () => number;
  readonly #closing: readonly number[];
  readonly #filling: readonly number[];
  readonly #textOnly: number | undefined;
  readonly #quote: number | undefined;

  constructor(vocabulary: AnswerVocabulary, random: () => number) {
    this.#vocabulary = vocabulary;
    this.#random = random;
    const idByText = new Map<string, number>();
    for (let id = 0; id < vocabulary.vocabSize; id++) idByText.set(this.#textOf(id), id);
    this.#textOnly = idByText.get(TEXT_ONLY);
    this.#quote = idByText.get('"');
    this.#filling = FILLING.flatMap((text) => idByText.get(text) ?? []);
    this.#closing = CLOSING.flatMap((text) => idByText.get(text) ?? []);
  }

  /** Takes allowed tokens until the answer ends. */
  next(state: ConstrainedAnswer): RandomAnswer {
    const chunks: Uint8Array[] = [];
    const { tokenBytes, endTokenIds } = this.#vocabulary;
    for (let numTokens = 0; numTokens < MAX_TOKENS; numTokens++) {
      const isClosing = numTokens >= MAX_FREE_TOKENS * this.#random() && this.#random() < 0.9;
      const token = this.#choose(state.mask(), isClosing);
      if (token === undefined) throw new Error(`no token is allowed after ${joined(chunks)}`);
      state.accept(token);
      if (endTokenIds.includes(token)) return { text: joined(chunks), isFinished: true, numTokens };
      chunks.push(tokenBytes.get(token));
    }
    return { text: joined(chunks), isFinished: false, numTokens: MAX_TOKENS };
  }

  #choose(mask: Uint32Array, isClosing: boolean): number | undefined {
    const end = this.#vocabulary.endTokenIds.find((token) => isIn(mask, token));
    if (end !== undefined && (isClosing || this.#random() < 0.3)) return end;
    if (isClosing) {
      const closing = this.#closingToken(mask);
      if (closing !== undefined) return closing;
    }
    for (let attempt = 0; attempt < 50; attempt++) {
      const token = Math.floor(this.#random() * this.#vocabulary.vocabSize);
      if (isIn(mask, token) && this.#isTakenAtOnce(token)) return token;
    }
    const allowed = tokensIn(mask);
    const dense = allowed.filter((token) => this.#isTakenAtOnce(token));
    const from = dense.length > 0 ? dense : allowed;
    return from[Math.floor(this.#random() * from.length)];
  }

  #closingToken(mask: Uint32Array): number | undefined {
    const isText = this.#textOnly !== undefined && isIn(mask, this.#textOnly);
    const canQuote = this.#quote !== undefined && isIn(mask, this.#quote);
    if (isText && canQuote) return this.#quote;
    const filling = this.#filling.filter((token) => isIn(mask, token));
    if (isText || this.#random() < 0.5) return filling[Math.floor(this.#random() * filling.length)];
    return this.#closing.find((token) => isIn(mask, token));
  }

  /** Whitespace is allowed nearly everywhere and would be most of the answer. */
  #isTakenAtOnce(token: number): boolean {
    return /\S/.test(this.#textOf(token)) || this.#random() < 0.02;
  }

  #textOf(token: number): string {
    return Buffer.from(this.#vocabulary.tokenBytes.get(token)).toString('latin1');
  }
}

function isIn(mask: Uint32Array, token: number): boolean {
  return (((mask[token >> 5] ?? 0) >>> (token & 31)) & 1) === 1;
}

function joined(chunks: readonly Uint8Array[]): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
}

function tokensIn(mask: Uint32Array): number[] {
  const tokens: number[] = [];
  mask.forEach((word, index) => {
    for (let bits = word; bits !== 0; bits &= bits - 1) tokens.push(index * 32 + 31 - Math.clz32(bits & -bits));
  });
  return tokens;
}
