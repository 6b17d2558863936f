import { type ByteSet, hasByte } from './byte-set.js';
import { type TokenTrie, TokenTrieBuilder } from './token-trie.js';

interface Branch {
  readonly node: number;
  readonly count: number;
}

/**
 * The rests of tokens that leave a lexeme, merged into one tree: where ten thousand tokens end a string and go on with
 * a comma, the comma is looked at once.
 *
 * @param exits - nodes of `trie` at which the lexeme may end, with what was counted there.
 * @param follow - the bytes that can come after the lexeme.
 */
export function exitTrie(
  trie: TokenTrie,
  exits: { readonly nodes: Int32Array; readonly counts: Uint16Array },
  follow: ByteSet,
): TokenTrie {
  const builder = new TokenTrieBuilder();
  const roots = Array.from(exits.nodes, (node, index) => ({ node, count: exits.counts[index] ?? 0 }));
  addChildren(builder, trie, roots, 1, follow);
  return builder.build();
}

function addChildren(
  builder: TokenTrieBuilder,
  trie: TokenTrie,
  parents: readonly Branch[],
  depth: number,
  allowed: ByteSet | undefined,
): void {
  const byByte = new Map<number, Branch[]>();
  for (const { node, count } of parents) {
    const end = trie.ends[node] ?? 0;
    for (let child = node + 1; child < end; child = trie.ends[child] ?? end) {
      const byte = trie.bytes[child] ?? 0;
      if (allowed !== undefined && !hasByte(allowed, byte)) continue;
      const branches = byByte.get(byte);
      if (branches === undefined) byByte.set(byte, [{ node: child, count }]);
      else branches.push({ node: child, count });
    }
  }
  for (const [byte, branches] of byByte) {
    builder.add(byte, depth);
    for (const { node, count } of branches) {
      const end = trie.tokenStarts[node + 1] ?? 0;
      for (let entry = trie.tokenStarts[node] ?? 0; entry < end; entry++) {
        builder.addToken(trie.tokens[entry] ?? 0, count);
      }
    }
    addChildren(builder, trie, branches, depth + 1, undefined);
  }
}
