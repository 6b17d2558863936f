import { type ByteSet, hasByte, haveCommonByte } from './byte-set.js';
import type { RegexAutomaton } from './regex-automaton.js';
import { NOTHING, type RegexId, type RegexPool } from './regex-pool.js';
import { loopClasses, type SubtreeClasses } from './subtree-classes.js';
import type { TokenTrie } from './token-trie.js';

/**
 * A lexeme's state as the walks see it. A repetition of characters that ends with something else (`X{min,max}"`) is
 * walked once as `X*"`, counting characters: all its bounds share that walk, and with it every string of a schema.
 */
export interface LexemeState {
  readonly start: RegexId;
  /** Bounds of the count; 0 and Infinity where nothing is counted. */
  readonly min: number;
  readonly max: number;
  /** Bytes that end the repetition, where there is one. */
  readonly tailFirst: ByteSet | undefined;
}

export function lexemeStateOf(pool: RegexPool, state: RegexId): LexemeState {
  const plain = { start: state, min: 0, max: Infinity, tailFirst: undefined };
  const node = pool.get(state);
  if (node.kind !== 'sequence') return plain;
  const body = pool.get(node.first);
  if (body.kind !== 'repeat' || !pool.isCharacter(body.inner) || pool.isNullable(node.rest)) return plain;
  const tailFirst = pool.firstBytes(node.rest);
  if (haveCommonByte(pool.firstBytes(body.inner), tailFirst)) return plain;
  const start = pool.sequence(pool.repeat(body.inner, 0, Infinity), node.rest);
  return { start, min: body.min, max: body.max, tailFirst };
}

/** What becomes of all tokens of a vocabulary that begin in one state of one lexeme, whatever follows the lexeme. */
export interface LexemeWalk {
  /** Tokens that end within the lexeme, ascending by the count that they need to be possible: `needs`. */
  readonly bodyTokens: Int32Array;
  readonly bodyNeeds: Uint16Array;
  /** Tokens that end within it after the repetition, and the exact count of that. */
  readonly tailTokens: Int32Array;
  readonly tailCounts: Uint16Array;
  /** Nodes of the trie below a place where the lexeme may be left, and the counts there. */
  readonly exitNodes: Int32Array;
  readonly exitCounts: Uint16Array;
}

/** Subtrees of fewer nodes are walked: asking whether a state takes all of one costs as much. */
const MIN_SKIPPED_NODES = 16;

/** Walks the tree of a vocabulary; its buffers serve one walk after another. */
export class LexemeWalker {
  readonly #automaton: RegexAutomaton;
  readonly #trie: TokenTrie;
  readonly #classes: SubtreeClasses;
  readonly #loops = new Map<RegexId, number>();
  #lexeme: LexemeState = { start: NOTHING, min: 0, max: 0, tailFirst: undefined };
  // By depth: the state there, its steps, what was counted, and whether the repetition is over.
  readonly #states: Int32Array;
  readonly #rows: Int32Array[] = [];
  readonly #counts: Uint16Array;
  readonly #isTail: Uint8Array;
  readonly #bodyTokens: Int32Array;
  readonly #bodyNeeds: Uint16Array;
  #numBody = 0;
  #tail: number[] = [];
  #tailCounts: number[] = [];
  #exits: number[] = [];
  #exitCounts: number[] = [];

  constructor(automaton: RegexAutomaton, trie: TokenTrie, classes: SubtreeClasses) {
    this.#automaton = automaton;
    this.#trie = trie;
    this.#classes = classes;
    this.#states = new Int32Array(trie.maxDepth + 1);
    this.#counts = new Uint16Array(trie.maxDepth + 1);
    this.#isTail = new Uint8Array(trie.maxDepth + 1);
    this.#bodyTokens = new Int32Array(trie.tokens.length);
    this.#bodyNeeds = new Uint16Array(trie.tokens.length);
  }

  walk(lexeme: LexemeState): LexemeWalk {
    this.#reset(lexeme);
    const { bytes, ends, depths, size } = this.#trie;
    const automaton = this.#automaton;
    const states = this.#states;
    const rows = this.#rows;
    let node = this.#takesAllBelow(0, 0, lexeme.start) ? this.#takeAllBelow(0, 0) : 1;
    while (node < size) {
      const depth = depths[node] ?? 0;
      const byte = bytes[node] ?? 0;
      const row = rows[depth - 1] ?? automaton.row(states[depth - 1] ?? NOTHING);
      let next = row[byte] ?? NOTHING;
      if (next === -1) next = automaton.fill(row, states[depth - 1] ?? NOTHING, byte);
      if (next === NOTHING) {
        node = ends[node] ?? size;
        continue;
      }
      states[depth] = next;
      rows[depth] = automaton.row(next);
      this.#visit(node, depth, byte, next);
      node = this.#takesAllBelow(node, depth, next) ? this.#takeAllBelow(node, depth) : node + 1;
    }
    return this.#result();
  }

  #reset(lexeme: LexemeState): void {
    this.#lexeme = lexeme;
    this.#states[0] = lexeme.start;
    this.#rows[0] = this.#automaton.row(lexeme.start);
    this.#isTail[0] = 0;
    this.#counts[0] = 0;
    this.#numBody = 0;
    this.#tail = [];
    this.#tailCounts = [];
    this.#exits = [];
    this.#exitCounts = [];
  }

  #visit(node: number, depth: number, byte: number, next: RegexId): void {
    const { tailFirst } = this.#lexeme;
    const need = tailFirst === undefined ? 0 : this.#count(tailFirst, depth, byte, next);
    const { tokenStarts, tokens, ends } = this.#trie;
    const isTail = tailFirst !== undefined && this.#isTail[depth] === 1;
    const lastEntry = tokenStarts[node + 1] ?? 0;
    for (let entry = tokenStarts[node] ?? 0; entry < lastEntry; entry++) {
      const token = tokens[entry] ?? 0;
      if (isTail) {
        this.#tail.push(token);
        this.#tailCounts.push(need);
      } else {
        this.#bodyTokens[this.#numBody] = token;
        this.#bodyNeeds[this.#numBody++] = need;
      }
    }
    if ((ends[node] ?? 0) > node + 1 && this.#automaton.pool.isNullable(next)) {
      this.#exits.push(node);
      this.#exitCounts.push(need);
    }
  }

  /** How many repetitions there are after `byte`, one that has begun among them. */
  #count(tailFirst: ByteSet, depth: number, byte: number, next: RegexId): number {
    const { start } = this.#lexeme;
    const before = this.#counts[depth - 1] ?? 0;
    const isBorder = this.#states[depth - 1] === start;
    const isTail = this.#isTail[depth - 1] === 1 || (isBorder && hasByte(tailFirst, byte));
    const count = !isTail && next === start ? before + 1 : before;
    this.#isTail[depth] = isTail ? 1 : 0;
    this.#counts[depth] = count;
    return isTail || next === start ? count : count + 1;
  }

  /** Whether every token below a node stays in the state, so that none of it need be walked. */
  #takesAllBelow(node: number, depth: number, state: RegexId): boolean {
    if ((this.#trie.ends[node] ?? 0) - node < MIN_SKIPPED_NODES || this.#classes.isBorder[node] === 0) return false;
    // Where a repetition is counted, only its own characters are; what follows it may lead back to its state.
    const isCounted = this.#lexeme.tailFirst !== undefined;
    if (isCounted && (state !== this.#lexeme.start || this.#isTail[depth] === 1)) return false;
    if (this.#automaton.pool.isNullable(state)) return false;
    let loops = this.#loops.get(state);
    if (loops === undefined) {
      loops = loopClasses(this.#automaton, state);
      this.#loops.set(state, loops);
    }
    return ((this.#classes.below[node] ?? 0) & ~loops) === 0;
  }

  /** @returns the node after all that is below. */
  #takeAllBelow(node: number, depth: number): number {
    const { ends, tokenStarts, tokens, size } = this.#trie;
    const { characters } = this.#classes;
    const end = ends[node] ?? size;
    const isCounted = this.#lexeme.tailFirst !== undefined;
    const countBefore = (this.#counts[depth] ?? 0) - (characters[node] ?? 0);
    for (let below = node + 1; below < end; below++) {
      const need = isCounted ? countBefore + (characters[below] ?? 0) : 0;
      const lastEntry = tokenStarts[below + 1] ?? 0;
      for (let entry = tokenStarts[below] ?? 0; entry < lastEntry; entry++) {
        this.#bodyTokens[this.#numBody] = tokens[entry] ?? 0;
        this.#bodyNeeds[this.#numBody++] = need;
      }
    }
    return end;
  }

  #result(): LexemeWalk {
    return {
      ...this.#sortedBody(),
      tailTokens: Int32Array.from(this.#tail),
      tailCounts: Uint16Array.from(this.#tailCounts),
      exitNodes: Int32Array.from(this.#exits),
      exitCounts: Uint16Array.from(this.#exitCounts),
    };
  }

  /** A counting sort. */
  #sortedBody(): { readonly bodyTokens: Int32Array; readonly bodyNeeds: Uint16Array } {
    const tokens = this.#bodyTokens.subarray(0, this.#numBody);
    const needs = this.#bodyNeeds.subarray(0, this.#numBody);
    if (this.#lexeme.tailFirst === undefined) return { bodyTokens: tokens.slice(), bodyNeeds: needs.slice() };
    const starts = new Int32Array(this.#trie.maxDepth + 2);
    for (const need of needs) starts[need + 1] = (starts[need + 1] ?? 0) + 1;
    for (let need = 1; need < starts.length; need++) starts[need] = (starts[need] ?? 0) + (starts[need - 1] ?? 0);
    const bodyTokens = new Int32Array(needs.length);
    const bodyNeeds = new Uint16Array(needs.length);
    for (let entry = 0; entry < needs.length; entry++) {
      const need = needs[entry] ?? 0;
      const place = starts[need] ?? 0;
      starts[need] = place + 1;
      bodyTokens[place] = tokens[entry] ?? 0;
      bodyNeeds[place] = need;
    }
    return { bodyTokens, bodyNeeds };
  }
}
