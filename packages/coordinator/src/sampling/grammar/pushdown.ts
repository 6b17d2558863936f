import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ByteSet, bytesIn, unionOf } from './byte-set.js';
import type { GrammarSymbol, Rule } from './grammar-symbol.js';
import type { RegexAutomaton } from './regex-automaton.js';
import { EMPTY, NOTHING, type RegexId } from './regex-pool.js';

/** Ways to read one text at a time; more are a grammar that is ambiguous beyond use. */
const MAX_READINGS = 20_000;

/** With more states than this kept, those that are not in use are forgotten. */
const MAX_STATES = 20_000;

/** About what a state takes with its stacks and its table of bytes. */
const STATE_BYTES = 2048;

/** Up to this many possible bytes are tried one by one to see which can really come. */
const MAX_TRIED_BYTES = 8;

/** What is still to come: `head` first, then `tail`. One object per content, so that contents compare by identity. */
export class Stack {
  readonly id: number;
  readonly head: GrammarSymbol;
  /** Undefined at the bottom, where nothing is to come. */
  readonly tail: Stack | undefined;
  readonly #pushed = new Map<GrammarSymbol, Stack>();
  readonly #ids: { next: number };
  /** The state that this stack alone is; kept by the automaton. */
  state: PushdownState | undefined;

  constructor(head: GrammarSymbol, tail: Stack | undefined, ids: { next: number }) {
    this.head = head;
    this.tail = tail;
    this.#ids = ids;
    this.id = ids.next++;
  }

  push(symbol: GrammarSymbol): Stack {
    const known = this.#pushed.get(symbol);
    if (known !== undefined) return known;
    const stack = new Stack(symbol, this, this.#ids);
    this.#pushed.set(symbol, stack);
    return stack;
  }
}

/** A stack with a lexeme's state on top. */
export interface Reading {
  readonly lexeme: RegexId;
  readonly stack: Stack;
}

/** All readings of a text at once. */
export interface PushdownState {
  readonly readings: readonly Reading[];
  /** Whether the text may end here. */
  readonly isComplete: boolean;
  /** By byte, as they are found: null where the byte cannot come. */
  readonly next: (PushdownState | null | undefined)[];
  /** See `Pushdown.firstBytes`. */
  firstBytes: ByteSet | undefined;
}

/**
 * A pushdown automaton over bytes, made deterministic as it is walked: a state is the set of the stacks that the bytes
 * so far can have left.
 */
export class Pushdown {
  readonly #automaton: RegexAutomaton;
  readonly #root: Rule;
  #bottom: Stack;
  #states = new Map<string, PushdownState>();

  constructor(automaton: RegexAutomaton, root: Rule) {
    this.#automaton = automaton;
    this.#root = root;
    this.#bottom = newBottom();
  }

  /** About what its states take. */
  get sizeBytes(): number {
    return this.#states.size * STATE_BYTES;
  }

  start(): PushdownState {
    return this.#settled([this.#bottom.push(this.#root)]);
  }

  /** Null where the byte cannot come. */
  step(state: PushdownState, byte: number): PushdownState | null {
    const known = state.next[byte];
    if (known !== undefined) return known;
    const stacks: Stack[] = [];
    for (const { lexeme, stack } of state.readings) {
      const next = this.#automaton.step(lexeme, byte);
      if (next !== NOTHING && stack.tail !== undefined) stacks.push(stack.tail.push(next));
    }
    const found = stacks.length === 0 ? null : this.#settled(stacks);
    state.next[byte] = found;
    return found;
  }

  /** Where a reading goes on after its lexeme. */
  afterLexeme({ stack }: Reading): PushdownState {
    const tail = stack.tail ?? this.#bottom;
    tail.state ??= this.#settled([tail]);
    return tail.state;
  }

  /** An upper bound of the bytes that can come, and exactly those where they are few. */
  firstBytes(state: PushdownState): ByteSet {
    state.firstBytes ??= unionOf(
      state.readings.map(({ lexeme }) => this.#automaton.firstBytes(lexeme, MAX_TRIED_BYTES)),
    );
    return state.firstBytes;
  }

  /** The only byte that can come, where there is one and the text cannot end instead. */
  forcedByte(state: PushdownState): number | undefined {
    if (state.isComplete) return undefined;
    const bytes = bytesIn(this.firstBytes(state));
    return bytes.length === 1 ? bytes[0] : undefined;
  }

  /** Forgets states when they are many; those that are still held go on working. */
  trim(): boolean {
    if (this.#states.size <= MAX_STATES) return false;
    this.#states = new Map();
    this.#bottom = newBottom();
    return true;
  }

  #settled(stacks: readonly Stack[]): PushdownState {
    const found = new Set<Stack>();
    const isComplete = this.#settle(stacks, found);
    const sorted = [...found].sort((a, b) => a.id - b.id);
    const key = `${isComplete ? '.' : ''}${sorted.map(({ id }) => id).join(',')}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const readings = sorted.map((stack) => ({ lexeme: stack.head as RegexId, stack }));
    const state: PushdownState = { readings, isComplete, next: [], firstBytes: undefined };
    this.#states.set(key, state);
    return state;
  }

  /** Works out rules until every stack has a lexeme on top. @returns whether one of them can be empty. */
  #settle(stacks: readonly Stack[], found: Set<Stack>): boolean {
    const seen = new Set(stacks);
    let isComplete = false;
    for (const stack of seen) {
      const { head, tail } = stack;
      if (tail === undefined) isComplete = true;
      else if (typeof head === 'number') {
        if (head !== EMPTY && head !== NOTHING) found.add(stack);
        if (this.#automaton.pool.isNullable(head)) seen.add(tail);
      } else for (const alternative of head.alternatives) seen.add(pushAll(tail, alternative));
      if (seen.size > MAX_READINGS) throw tooAmbiguous(head);
    }
    return isComplete;
  }
}

function pushAll(tail: Stack, symbols: readonly GrammarSymbol[]): Stack {
  return symbols.reduceRight((stack, symbol) => stack.push(symbol), tail);
}

function newBottom(): Stack {
  return new Stack(EMPTY, undefined, { next: 0 });
}

function tooAmbiguous(head: GrammarSymbol): ExpertmeshError {
  const where = typeof head === 'number' ? '' : ` in ${head.name}`;
  return new ExpertmeshError(
    'invalid_argument',
    `the grammar can be read in more than ${String(MAX_READINGS)} ways at once${where}; ` +
      'remove rules that begin with themselves',
  );
}
