import type { LexemeMasks } from './lexeme-masks.js';
import type { Pushdown, PushdownState, Reading } from './pushdown.js';
import type { TokenTrie } from './token-trie.js';
import type { TokenVocabulary } from './token-vocabulary.js';

/** Masks kept per constraint; at 151,936 tokens each takes 19 kB. */
const MAX_MASKS = 1024;

/** The masks of a constraint's states: what the lexemes on top allow, and tokens that go past their end. */
export class GrammarMasks {
  readonly #pushdown: Pushdown;
  readonly #lexemes: LexemeMasks;
  readonly #endTokenIds: readonly number[];
  #masks = new Map<PushdownState, Uint32Array>();
  // By depth, in a walk of tokens that go past the end of a lexeme.
  readonly #path: PushdownState[] = [];

  constructor(pushdown: Pushdown, lexemes: LexemeMasks, vocabulary: TokenVocabulary) {
    this.#pushdown = pushdown;
    this.#lexemes = lexemes;
    this.#endTokenIds = vocabulary.endTokenIds;
  }

  get sizeBytes(): number {
    return this.#masks.size * this.#lexemes.numWords * Uint32Array.BYTES_PER_ELEMENT;
  }

  /** Uint32[ceil(vocabSize / 32)], bit `id & 31` of word `id >> 5`; shared, so it is not to be written. */
  maskOf(state: PushdownState): Uint32Array {
    const known = this.#masks.get(state);
    if (known !== undefined) return known;
    const mask = new Uint32Array(this.#lexemes.numWords);
    for (const reading of state.readings) this.#addReading(mask, reading);
    if (state.isComplete) for (const id of this.#endTokenIds) addToken(mask, id);
    if (this.#masks.size >= MAX_MASKS) this.#masks = new Map();
    this.#masks.set(state, mask);
    return mask;
  }

  #addReading(mask: Uint32Array, reading: Reading): void {
    this.#lexemes.addInner(mask, reading.lexeme);
    const after = this.#pushdown.afterLexeme(reading);
    if (after.readings.length === 0) return;
    const trie = this.#lexemes.exits(reading.lexeme, this.#pushdown.firstBytes(after));
    if (trie !== undefined) this.#addExits(mask, trie, after, this.#lexemes.bounds(reading.lexeme));
  }

  #addExits(
    mask: Uint32Array,
    trie: TokenTrie,
    after: PushdownState,
    { min, max }: { readonly min: number; readonly max: number },
  ): void {
    const { bytes, depths, ends, size, tokenStarts, tokens, counts } = trie;
    this.#path[0] = after;
    let node = 1;
    while (node < size) {
      const depth = depths[node] ?? 0;
      const next = this.#pushdown.step(this.#path[depth - 1] ?? after, bytes[node] ?? 0);
      if (next === null) {
        node = ends[node] ?? size;
        continue;
      }
      this.#path[depth] = next;
      for (let entry = tokenStarts[node] ?? 0; entry < (tokenStarts[node + 1] ?? 0); entry++) {
        const count = counts[entry] ?? 0;
        if (count >= min && count <= max) addToken(mask, tokens[entry] ?? 0);
      }
      node++;
    }
  }
}

function addToken(mask: Uint32Array, token: number): void {
  mask[token >> 5] = (mask[token >> 5] ?? 0) | (1 << (token & 31));
}
