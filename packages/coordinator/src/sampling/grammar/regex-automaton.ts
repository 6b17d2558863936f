import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { addByte, type ByteSet, bytesIn, byteRange, hasByte } from './byte-set.js';
import { EMPTY, NOTHING, type RegexId, RegexPool } from './regex-pool.js';

const UNKNOWN = -1;
const ZERO = 0x30;

const PROBES = Buffer.from('~"q0');

/** Searches that go through more states than this look for what is not there, as far as anyone would wait. */
const MAX_SEARCHED_STATES = 50_000;

/**
 * The deterministic automaton of a pool's expressions, made as it is walked: states are expressions, steps are
 * derivatives. No step leads to a state from which nothing can be matched.
 */
export class RegexAutomaton {
  readonly pool = new RegexPool();
  readonly #rows: (Int32Array | undefined)[] = [];
  readonly #isLive = new Map<RegexId, boolean>();
  #numRows = 0;

  /** States that have been walked through; each takes a kilobyte. */
  get numRows(): number {
    return this.#numRows;
  }

  /** What must follow `byte`, NOTHING where `byte` cannot come. */
  step(state: RegexId, byte: number): RegexId {
    const row = this.row(state);
    const known = row[byte] ?? NOTHING;
    return known === UNKNOWN ? this.fill(row, state, byte) : known;
  }

  /** The steps from a state by byte: -1 where `fill` has not found it yet. For loops that step often. */
  row(state: RegexId): Int32Array {
    const known = this.#rows[state];
    if (known !== undefined) return known;
    const row = new Int32Array(256).fill(UNKNOWN);
    this.#rows[state] = row;
    this.#numRows++;
    return row;
  }

  fill(row: Int32Array, state: RegexId, byte: number): RegexId {
    const derived = this.#derive(state, byte);
    const next = this.isLive(derived) ? derived : NOTHING;
    row[byte] = next;
    return next;
  }

  /** Whether anything at all matches. */
  isLive(state: RegexId): boolean {
    if (state === NOTHING) return false;
    if (!this.pool.mayBeDead(state) || this.pool.isNullable(state)) return true;
    return this.#isLive.get(state) ?? (this.#isLiveByProbe(state) || this.#search(state));
  }

  /** Most states are live by way of the first byte that one thinks of, which saves the search. */
  #isLiveByProbe(state: RegexId): boolean {
    for (const byte of PROBES) {
      const next = this.#derive(state, byte);
      if (next === NOTHING || !this.#isSurelyLive(next)) continue;
      this.#isLive.set(state, true);
      return true;
    }
    return false;
  }

  /** Depth first, as it is the end that is looked for. */
  #search(start: RegexId): boolean {
    const parents = new Map<RegexId, RegexId | undefined>([[start, undefined]]);
    const open = [start];
    for (let state = open.pop(); state !== undefined; state = open.pop()) {
      if (this.#isSurelyLive(state)) return this.#markLive(state, parents);
      for (const byte of this.#representatives(state)) {
        const next = this.#derive(state, byte);
        if (next === NOTHING || parents.has(next) || this.#isLive.get(next) === false) continue;
        parents.set(next, state);
        open.push(next);
      }
      if (parents.size > MAX_SEARCHED_STATES) throw tooComplex();
    }
    for (const state of parents.keys()) this.#isLive.set(state, false);
    return false;
  }

  #isSurelyLive(state: RegexId): boolean {
    return this.#isLive.get(state) === true || this.pool.isNullable(state) || !this.pool.mayBeDead(state);
  }

  #markLive(end: RegexId, parents: ReadonlyMap<RegexId, RegexId | undefined>): true {
    for (let state: RegexId | undefined = end; state !== undefined; state = parents.get(state)) {
      this.#isLive.set(state, true);
    }
    return true;
  }

  #derive(id: RegexId, byte: number): RegexId {
    const node = this.pool.get(id);
    const { pool } = this;
    switch (node.kind) {
      case 'nothing':
      case 'empty':
        return NOTHING;
      case 'bytes':
        return hasByte(node.set, byte) ? EMPTY : NOTHING;
      case 'sequence': {
        const within = pool.sequence(this.#derive(node.first, byte), node.rest);
        return pool.isNullable(node.first) ? pool.either([within, this.#derive(node.rest, byte)]) : within;
      }
      case 'either':
        return pool.either(node.options.map((option) => this.#derive(option, byte)));
      case 'both':
        return this.#deriveBoth(node.parts, byte);
      case 'not':
        return pool.not(this.#derive(node.inner, byte));
      case 'repeat': {
        const inner = this.#derive(node.inner, byte);
        if (inner === NOTHING) return NOTHING;
        return pool.sequence(inner, pool.repeat(node.inner, Math.max(0, node.min - 1), node.max - 1));
      }
      case 'multiple':
        if (byte < ZERO || byte > ZERO + 9) return NOTHING;
        return pool.multiple(node.divisor, (node.remainder * 10 + byte - ZERO) % node.divisor);
    }
  }

  #deriveBoth(parts: readonly RegexId[], byte: number): RegexId {
    const derived: RegexId[] = [];
    for (const part of parts) {
      const next = this.#derive(part, byte);
      if (next === NOTHING) return NOTHING;
      derived.push(next);
    }
    return this.pool.both(derived);
  }

  /** One byte of every class of bytes that lead to the same state. */
  #representatives(state: RegexId): number[] {
    const sets: ByteSet[] = [];
    this.#collectHeads(state, sets);
    const bySignature = new Map<string, number>();
    for (const byte of bytesIn(this.pool.firstBytes(state))) {
      const signature = sets.map((set) => (hasByte(set, byte) ? '1' : '0')).join('');
      if (!bySignature.has(signature)) bySignature.set(signature, byte);
    }
    return [...bySignature.values()];
  }

  #collectHeads(id: RegexId, sets: ByteSet[]): void {
    const node = this.pool.get(id);
    switch (node.kind) {
      case 'nothing':
      case 'empty':
        return;
      case 'bytes':
        sets.push(node.set);
        return;
      case 'sequence':
        this.#collectHeads(node.first, sets);
        if (this.pool.isNullable(node.first)) this.#collectHeads(node.rest, sets);
        return;
      case 'either':
        for (const option of node.options) this.#collectHeads(option, sets);
        return;
      case 'both':
        for (const part of node.parts) this.#collectHeads(part, sets);
        return;
      case 'not':
      case 'repeat':
        this.#collectHeads(node.inner, sets);
        return;
      case 'multiple':
        for (let digit = 0; digit < 10; digit++) sets.push(byteRange(ZERO + digit, ZERO + digit));
    }
  }

  /** The bytes that can come first: exact for at most `limit` of them, otherwise an upper bound. */
  firstBytes(state: RegexId, limit: number): ByteSet {
    const bound = this.pool.firstBytes(state);
    const bytes = bytesIn(bound);
    if (bytes.length > limit) return bound;
    const exact = new Uint32Array(8);
    for (const byte of bytes) if (this.step(state, byte) !== NOTHING) addByte(exact, byte);
    return exact;
  }
}

function tooComplex(): ExpertmeshError {
  return new ExpertmeshError(
    'invalid_argument',
    `whether anything fits the patterns together was not found within ${String(MAX_SEARCHED_STATES)} states; ` +
      'use fewer or simpler patterns on one string',
  );
}
