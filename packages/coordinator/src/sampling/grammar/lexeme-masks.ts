import type { ByteSet } from './byte-set.js';
import { exitTrie } from './exit-trie.js';
import { type LexemeState, lexemeStateOf, type LexemeWalk, LexemeWalker } from './lexeme-walk.js';
import { RegexAutomaton } from './regex-automaton.js';
import type { RegexId } from './regex-pool.js';
import { type SubtreeClasses, subtreeClasses } from './subtree-classes.js';
import { type TokenTrie, vocabularyTrie } from './token-trie.js';
import type { TokenVocabulary } from './token-vocabulary.js';

/** From this many tokens on, a bitset is added faster than a list. */
const DENSE_TOKENS = 1024;

/**
 * The tokens that one vocabulary has for the states of lexemes: walked once per state and kept, since a state means
 * the same wherever its lexeme stands, as the context-independent tokens of XGrammar (Dong et al. 2024,
 * arXiv 2411.15100) do. All constraints on a vocabulary share it.
 */
export class LexemeMasks {
  readonly automaton = new RegexAutomaton();
  readonly numWords: number;
  readonly #trie: TokenTrie;
  readonly #classes: SubtreeClasses;
  readonly #walker: LexemeWalker;
  readonly #states = new Map<RegexId, LexemeState>();
  readonly #walks = new Map<RegexId, CachedWalk>();

  constructor(
    vocabulary: TokenVocabulary,
    trie = vocabularyTrie(vocabulary),
    classes: SubtreeClasses = subtreeClasses(trie),
  ) {
    this.numWords = Math.ceil(vocabulary.vocabSize / 32);
    this.#trie = trie;
    this.#classes = classes;
    this.#walker = new LexemeWalker(this.automaton, trie, classes);
  }

  /** The same vocabulary without anything that was kept. */
  renewed(vocabulary: TokenVocabulary): LexemeMasks {
    return new LexemeMasks(vocabulary, this.#trie, this.#classes);
  }

  /** States that hold memory: about a kilobyte each. */
  get numStates(): number {
    return this.automaton.numRows + this.#walks.size * 4;
  }

  /** Adds the tokens that end within the lexeme to `mask`. */
  addInner(mask: Uint32Array, state: RegexId): void {
    const lexeme = this.#stateOf(state);
    this.#walkOf(lexeme).addInner(mask, lexeme);
  }

  /** The rests of the tokens that leave the lexeme and go on with a byte of `follow`; undefined where none do. */
  exits(state: RegexId, follow: ByteSet): TokenTrie | undefined {
    const trie = this.#walkOf(this.#stateOf(state)).exits(follow);
    return trie.size === 1 ? undefined : trie;
  }

  /** Bounds for the counts in `exits`. */
  bounds(state: RegexId): { readonly min: number; readonly max: number } {
    return this.#stateOf(state);
  }

  #stateOf(state: RegexId): LexemeState {
    const known = this.#states.get(state);
    if (known !== undefined) return known;
    const lexeme = lexemeStateOf(this.automaton.pool, state);
    this.#states.set(state, lexeme);
    return lexeme;
  }

  #walkOf(lexeme: LexemeState): CachedWalk {
    const known = this.#walks.get(lexeme.start);
    if (known !== undefined) return known;
    const walk = new CachedWalk(this.#trie, this.#walker.walk(lexeme), this.numWords);
    this.#walks.set(lexeme.start, walk);
    return walk;
  }
}

class CachedWalk {
  readonly #trie: TokenTrie;
  readonly #walk: LexemeWalk;
  readonly #numWords: number;
  readonly #denseByMax = new Map<number, Uint32Array>();
  readonly #exitsByFollow = new Map<string, TokenTrie>();

  constructor(trie: TokenTrie, walk: LexemeWalk, numWords: number) {
    this.#trie = trie;
    this.#walk = walk;
    this.#numWords = numWords;
  }

  addInner(mask: Uint32Array, { min, max }: LexemeState): void {
    const { bodyTokens, bodyNeeds, tailTokens, tailCounts } = this.#walk;
    const largest = bodyNeeds.at(-1) ?? 0;
    if (bodyTokens.length >= DENSE_TOKENS) addWords(mask, this.#dense(Math.min(max, largest)));
    else addTokens(mask, bodyTokens, bodyNeeds, 0, max);
    addTokens(mask, tailTokens, tailCounts, min, max);
  }

  #dense(max: number): Uint32Array {
    const known = this.#denseByMax.get(max);
    if (known !== undefined) return known;
    const dense = new Uint32Array(this.#numWords);
    addTokens(dense, this.#walk.bodyTokens, this.#walk.bodyNeeds, 0, max);
    this.#denseByMax.set(max, dense);
    return dense;
  }

  exits(follow: ByteSet): TokenTrie {
    const key = follow.join(',');
    const known = this.#exitsByFollow.get(key);
    if (known !== undefined) return known;
    const trie = exitTrie(this.#trie, { nodes: this.#walk.exitNodes, counts: this.#walk.exitCounts }, follow);
    this.#exitsByFollow.set(key, trie);
    return trie;
  }
}

function addWords(mask: Uint32Array, other: Uint32Array): void {
  for (let word = 0; word < other.length; word++) mask[word] = (mask[word] ?? 0) | (other[word] ?? 0);
}

function addTokens(mask: Uint32Array, tokens: Int32Array, counts: Uint16Array, min: number, max: number): void {
  for (let entry = 0; entry < tokens.length; entry++) {
    const count = counts[entry] ?? 0;
    if (count < min || count > max) continue;
    const token = tokens[entry] ?? 0;
    mask[token >> 5] = (mask[token >> 5] ?? 0) | (1 << (token & 31));
  }
}
