import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ByteSet, byteRange, bytesOfText, isEmptySet, unionOf } from './byte-set.js';

/** An expression in a RegexPool: equal ids are the same expression, so an id is also a state of the automaton. */
export type RegexId = number;

/** Matches no string at all. */
export const NOTHING: RegexId = 0;
/** Matches the empty string only. */
export const EMPTY: RegexId = 1;

/** Regular expressions over bytes, with intersection and complement. */
export type Regex =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'empty' }
  | { readonly kind: 'bytes'; readonly set: ByteSet }
  | { readonly kind: 'sequence'; readonly first: RegexId; readonly rest: RegexId }
  | { readonly kind: 'either'; readonly options: readonly RegexId[] }
  | { readonly kind: 'both'; readonly parts: readonly RegexId[] }
  | { readonly kind: 'not'; readonly inner: RegexId }
  | { readonly kind: 'repeat'; readonly inner: RegexId; readonly min: number; readonly max: number }
  /** Decimal digits whose number, read after `remainder`, is divisible by `divisor`. */
  | { readonly kind: 'multiple'; readonly divisor: number; readonly remainder: number };

/** More expressions than this are no constraint that somebody wrote, but one that explodes. */
const MAX_EXPRESSIONS = 2_000_000;

const encoder = new TextEncoder();

/**
 * Hash-consed expressions: each is made once and simplified as it is made, so that derivatives (Brzozowski 1964; Owens,
 * Reppy and Turon, "Regular-expression derivatives re-examined", 2009) come to finitely many states.
 */
export class RegexPool {
  readonly #nodes: Regex[] = [];
  readonly #isNullable: boolean[] = [];
  readonly #mayBeDead: boolean[] = [];
  readonly #ids = new Map<string, RegexId>();
  readonly #characters = new Set<RegexId>();
  readonly #firstBytes = new Map<RegexId, ByteSet>();
  readonly #bytes: RegexId[] = [];

  constructor() {
    this.#intern('0', { kind: 'nothing' }, false, false);
    this.#intern('1', { kind: 'empty' }, true, false);
  }

  get size(): number {
    return this.#nodes.length;
  }

  get(id: RegexId): Regex {
    return this.#nodes[id] ?? { kind: 'nothing' };
  }

  /** Whether it matches the empty string. */
  isNullable(id: RegexId): boolean {
    return this.#isNullable[id] === true;
  }

  /** Whether intersections or complements may leave nothing that it matches, although it is not NOTHING. */
  mayBeDead(id: RegexId): boolean {
    return this.#mayBeDead[id] === true;
  }

  bytes(set: ByteSet): RegexId {
    if (isEmptySet(set)) return NOTHING;
    return this.#intern(`b${set.join(',')}`, { kind: 'bytes', set }, false, false);
  }

  range(first: number, last: number): RegexId {
    return this.bytes(byteRange(first, last));
  }

  anyOfBytes(ascii: string): RegexId {
    return this.bytes(bytesOfText(ascii));
  }

  literal(text: string | Uint8Array): RegexId {
    return this.#literal(typeof text === 'string' ? encoder.encode(text) : text, EMPTY);
  }

  /** Any of the texts, as a tree by their first bytes: a long list costs no more a byte than a short one. */
  literals(texts: readonly string[]): RegexId {
    const encoded = [...new Set(texts)].map((text) => encoder.encode(text)).sort((a, b) => Buffer.compare(a, b));
    return this.#tree(encoded, 0, encoded.length, 0);
  }

  /** Of the sorted texts from `begin` to `end`, behind `depth` bytes that they share. */
  #tree(texts: readonly Uint8Array[], begin: number, end: number, depth: number): RegexId {
    const [first, last] = [texts[begin], texts[end - 1]];
    if (first === undefined || last === undefined) return NOTHING;
    let branch = depth;
    while (branch < first.length && first[branch] === last[branch]) branch++;
    const isComplete = first.length === branch;
    const options: RegexId[] = isComplete ? [EMPTY] : [];
    for (let from = isComplete ? begin + 1 : begin; from < end;) {
      const byte = texts[from]?.[branch] ?? 0;
      let to = from + 1;
      while (to < end && texts[to]?.[branch] === byte) to++;
      options.push(this.#pair(this.#byte(byte), this.#tree(texts, from, to, branch + 1)));
      from = to;
    }
    return this.#literal(first.subarray(depth, branch), this.either(options));
  }

  #literal(bytes: Uint8Array, rest: RegexId): RegexId {
    return bytes.reduceRight<RegexId>((behind, byte) => this.#pair(this.#byte(byte), behind), rest);
  }

  /** Most of what is made are these. */
  #byte(byte: number): RegexId {
    return (this.#bytes[byte] ??= this.range(byte, byte));
  }

  sequence(...parts: readonly RegexId[]): RegexId {
    return parts.reduceRight<RegexId>((rest, part) => this.#pair(part, rest), EMPTY);
  }

  #pair(first: RegexId, rest: RegexId): RegexId {
    if (first === NOTHING || rest === NOTHING) return NOTHING;
    if (first === EMPTY) return rest;
    if (rest === EMPTY) return first;
    const head = this.get(first);
    // Right-leaning, so that one language has one form.
    if (head.kind === 'sequence') return this.#pair(head.first, this.#pair(head.rest, rest));
    const isNullable = this.isNullable(first) && this.isNullable(rest);
    const mayBeDead = this.mayBeDead(first) || this.mayBeDead(rest);
    return this.#intern(`s${String(first)},${String(rest)}`, { kind: 'sequence', first, rest }, isNullable, mayBeDead);
  }

  either(options: Iterable<RegexId>): RegexId {
    const flat = new Set<RegexId>();
    for (const option of options) {
      const node = this.get(option);
      if (node.kind === 'either') for (const inner of node.options) flat.add(inner);
      else if (option !== NOTHING) flat.add(option);
    }
    const merged = this.#mergeByRest(flat);
    const [only] = merged;
    if (merged.length <= 1) return only ?? NOTHING;
    const isNullable = merged.some((id) => this.isNullable(id));
    const mayBeDead = merged.every((id) => this.mayBeDead(id));
    return this.#intern(`e${merged.join(',')}`, { kind: 'either', options: merged }, isNullable, mayBeDead);
  }

  /** Options of one byte and the same rest become one option of a set of bytes. */
  #mergeByRest(options: ReadonlySet<RegexId>): RegexId[] {
    const setsByRest = new Map<RegexId, ByteSet[]>();
    const others: RegexId[] = [];
    for (const option of options) {
      const node = this.get(option);
      const head = node.kind === 'sequence' ? this.get(node.first) : node;
      const rest = node.kind === 'sequence' ? node.rest : EMPTY;
      if (head.kind !== 'bytes') others.push(option);
      else {
        const sets = setsByRest.get(rest);
        if (sets === undefined) setsByRest.set(rest, [head.set]);
        else sets.push(head.set);
      }
    }
    for (const [rest, sets] of setsByRest) others.push(this.#pair(this.bytes(unionOf(sets)), rest));
    return [...new Set(others)].sort((a, b) => a - b);
  }

  optional(inner: RegexId): RegexId {
    return this.either([EMPTY, inner]);
  }

  both(parts: Iterable<RegexId>): RegexId {
    const flat = new Set<RegexId>();
    for (const part of parts) {
      const node = this.get(part);
      if (node.kind === 'nothing') return NOTHING;
      if (node.kind === 'both') for (const inner of node.parts) flat.add(inner);
      else if (node.kind !== 'not' || node.inner !== NOTHING) flat.add(part);
    }
    const sorted = [...flat].sort((a, b) => a - b);
    const [only] = sorted;
    if (only === undefined) return this.not(NOTHING);
    if (sorted.length === 1) return only;
    const isNullable = sorted.every((id) => this.isNullable(id));
    if (flat.has(EMPTY)) return isNullable ? EMPTY : NOTHING;
    return this.#intern(`a${sorted.join(',')}`, { kind: 'both', parts: sorted }, isNullable, true);
  }

  not(inner: RegexId): RegexId {
    const node = this.get(inner);
    if (node.kind === 'not') return node.inner;
    return this.#intern(`n${String(inner)}`, { kind: 'not', inner }, !this.isNullable(inner), true);
  }

  /** @param max - may be Infinity. */
  repeat(inner: RegexId, min: number, max: number): RegexId {
    if (max < min) return NOTHING;
    if (max === 0 || inner === EMPTY) return EMPTY;
    if (inner === NOTHING) return min === 0 ? EMPTY : NOTHING;
    if (min === 1 && max === 1) return inner;
    const least = this.isNullable(inner) ? 0 : min;
    const key = `r${String(inner)},${String(least)},${String(max)}`;
    return this.#intern(
      key,
      { kind: 'repeat', inner, min: least, max },
      least === 0,
      least > 0 && this.mayBeDead(inner),
    );
  }

  multiple(divisor: number, remainder = 0): RegexId {
    const key = `m${String(divisor)},${String(remainder)}`;
    return this.#intern(key, { kind: 'multiple', divisor, remainder }, remainder === 0, true);
  }

  /** Says that no string of `id` begins another one of it, as with encodings of single characters. */
  markCharacter(id: RegexId): RegexId {
    this.#characters.add(id);
    return id;
  }

  isCharacter(id: RegexId): boolean {
    return this.#characters.has(id) || this.get(id).kind === 'bytes';
  }

  /** An upper bound of the bytes that a match can begin with. */
  firstBytes(id: RegexId): ByteSet {
    const known = this.#firstBytes.get(id) ?? this.#findFirstBytes(id);
    this.#firstBytes.set(id, known);
    return known;
  }

  #findFirstBytes(id: RegexId): ByteSet {
    const node = this.get(id);
    switch (node.kind) {
      case 'nothing':
      case 'empty':
        return new Uint32Array(8);
      case 'bytes':
        return node.set;
      case 'sequence':
        if (!this.isNullable(node.first)) return this.firstBytes(node.first);
        return unionOf([this.firstBytes(node.first), this.firstBytes(node.rest)]);
      case 'either':
        return unionOf(node.options.map((option) => this.firstBytes(option)));
      case 'both':
        return node.parts
          .map((part) => this.firstBytes(part))
          .reduce((a, b) => a.map((word, index) => word & (b[index] ?? 0)));
      case 'not':
        return byteRange(0, 255);
      case 'repeat':
        return this.firstBytes(node.inner);
      case 'multiple':
        return byteRange(0x30, 0x39);
    }
  }

  #intern(key: string, node: Regex, isNullable: boolean, mayBeDead: boolean): RegexId {
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.#nodes.length;
    if (id >= MAX_EXPRESSIONS) throw tooManyExpressions();
    this.#nodes.push(node);
    this.#isNullable.push(isNullable);
    this.#mayBeDead.push(mayBeDead);
    this.#ids.set(key, id);
    return id;
  }
}

function tooManyExpressions(): ExpertmeshError {
  return new ExpertmeshError(
    'invalid_argument',
    `the constraint came to ${String(MAX_EXPRESSIONS)} expressions; use smaller or fewer patterns and repetitions`,
  );
}
