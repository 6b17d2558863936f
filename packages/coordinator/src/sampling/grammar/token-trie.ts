import { GrowingArray } from './growing-array.js';
import type { TokenVocabulary } from './token-vocabulary.js';

/**
 * Tokens by their bytes, as a tree in preorder. Node 0 is the root; the first child of node i is i + 1, and `ends[i]`
 * is the first node after its subtree, so that a walk that fails at i goes on at `ends[i]`.
 */
export interface TokenTrie {
  readonly size: number;
  /** The byte that leads to a node. Uint8[size]. */
  readonly bytes: Uint8Array;
  /** Int32[size]. */
  readonly ends: Int32Array;
  /** Uint16[size]; 0 for the root. */
  readonly depths: Uint16Array;
  /** The tokens that end at node i are entries tokenStarts[i] to tokenStarts[i + 1] of `tokens`. Int32[size + 1]. */
  readonly tokenStarts: Int32Array;
  readonly tokens: Int32Array;
  /** What a LocalWalk counted up to where the token left its lexeme, by entry of `tokens`; 0 in whole vocabularies. */
  readonly counts: Uint16Array;
  readonly maxDepth: number;
}

/** The tree of all tokens that an answer may contain. */
export function vocabularyTrie(vocabulary: TokenVocabulary): TokenTrie {
  const ends = new Set(vocabulary.endTokenIds);
  const entries: { readonly id: number; readonly key: string }[] = [];
  for (let id = 0; id < vocabulary.vocabSize; id++) {
    const bytes = vocabulary.tokenBytes.get(id);
    if (bytes.length === 0 || vocabulary.specialTokenIds.has(id) || ends.has(id)) continue;
    // One character a byte: strings are compared faster than arrays.
    entries.push({ id, key: Buffer.from(bytes).toString('latin1') });
  }
  entries.sort((a, b) => (a.key < b.key ? -1 : 1));
  const builder = new TokenTrieBuilder();
  let previous = '';
  for (const { id, key } of entries) {
    for (let at = sharedLength(previous, key); at < key.length; at++) builder.add(key.charCodeAt(at), at + 1);
    builder.addToken(id, 0);
    previous = key;
  }
  return builder.build();
}

function sharedLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a.charCodeAt(length) === b.charCodeAt(length)) length++;
  return length;
}

/** Takes nodes in preorder. */
export class TokenTrieBuilder {
  readonly #bytes = new GrowingArray((size) => new Uint8Array(size));
  readonly #depths = new GrowingArray((size) => new Uint16Array(size));
  readonly #tokenStarts = new GrowingArray((size) => new Int32Array(size));
  readonly #tokens = new GrowingArray((size) => new Int32Array(size));
  readonly #counts = new GrowingArray((size) => new Uint16Array(size));

  constructor() {
    this.add(0, 0);
  }

  add(byte: number, depth: number): void {
    this.#bytes.push(byte);
    this.#depths.push(depth);
    this.#tokenStarts.push(this.#tokens.length);
  }

  /** To the node that was added last. */
  addToken(tokenId: number, count: number): void {
    this.#tokens.push(tokenId);
    this.#counts.push(count);
  }

  build(): TokenTrie {
    const size = this.#bytes.length;
    const depths = this.#depths.take();
    this.#tokenStarts.push(this.#tokens.length);
    return {
      size,
      bytes: this.#bytes.take(),
      ends: endsOf(depths),
      depths,
      tokenStarts: this.#tokenStarts.take(),
      tokens: this.#tokens.take(),
      counts: this.#counts.take(),
      maxDepth: depths.reduce((max, depth) => Math.max(max, depth), 0),
    };
  }
}

function endsOf(depths: Uint16Array): Int32Array {
  const ends = new Int32Array(depths.length);
  const open: number[] = [];
  depths.forEach((depth, node) => {
    for (let last = open.at(-1); last !== undefined && (depths[last] ?? 0) >= depth; last = open.at(-1)) {
      ends[last] = node;
      open.pop();
    }
    open.push(node);
  });
  for (const node of open) ends[node] = depths.length;
  return ends;
}
