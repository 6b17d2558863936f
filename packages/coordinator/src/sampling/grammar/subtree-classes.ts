import type { RegexAutomaton } from './regex-automaton.js';
import type { RegexId } from './regex-pool.js';
import type { TokenTrie } from './token-trie.js';

/** Bytes that patterns tell apart have a class of their own. */
const OWN_CLASSES = '"\\<>/@\n\r\t \'{}[](),:;.-_';
const DIGIT = OWN_CLASSES.length;
const LOWER = DIGIT + 1;
const UPPER = DIGIT + 2;
const OTHER = DIGIT + 3;
const CONTROL = DIGIT + 4;
/** Characters beyond ASCII, all bytes of them. */
const WIDE = DIGIT + 5;
/** Bytes that are no UTF-8 as they stand after their token's first. */
const BROKEN = DIGIT + 6;

/** What stands below the nodes of a vocabulary's tree, so that a state that takes all of it need not walk it. */
export interface SubtreeClasses {
  /** A bit for every class of bytes below a node. Uint32[size]. */
  readonly below: Uint32Array;
  /** Characters that begin up to a node, and after its token's first byte. Uint16[size]. */
  readonly characters: Uint16Array;
  /** Whether a node is between two characters. Uint8[size]. */
  readonly isBorder: Uint8Array;
}

export function subtreeClasses({ bytes, depths, ends, size, maxDepth }: TokenTrie): SubtreeClasses {
  const own = new Uint32Array(size);
  const characters = new Uint16Array(size);
  const isBorder = new Uint8Array(size).fill(1, 0, 1);
  const path = new Uint8Array(maxDepth + 1);
  const counts = new Uint16Array(maxDepth + 1);
  for (let node = 1; node < size; node++) {
    const depth = depths[node] ?? 0;
    const byte = bytes[node] ?? 0;
    const before = path[depth - 1] ?? 0;
    const after = nextUtf8State(before, byte);
    path[depth] = after;
    const count = (counts[depth - 1] ?? 0) + (before === BETWEEN ? 1 : 0);
    counts[depth] = count;
    characters[node] = count;
    isBorder[node] = after === BETWEEN ? 1 : 0;
    own[node] = (after === NO_UTF8 ? 1 << BROKEN : 0) | (1 << classOf(byte));
  }
  const below = new Uint32Array(size);
  for (let node = size - 1; node >= 0; node--) {
    const end = ends[node] ?? size;
    for (let child = node + 1; child < end; child = ends[child] ?? end) {
      below[node] = (below[node] ?? 0) | (below[child] ?? 0) | (own[child] ?? 0);
    }
  }
  return { below, characters, isBorder };
}

/** The classes whose bytes (for WIDE: characters) lead from a state back to it. */
export function loopClasses(automaton: RegexAutomaton, state: RegexId): number {
  const isLoop = (byte: number): boolean => automaton.step(state, byte) === state;
  // Most states have no loops at all, and letters are in all that are worth it.
  if (!isLoop(0x61)) return 0;
  let classes = 0xffffffff;
  for (let byte = 0; byte < 0x80; byte++) if (!isLoop(byte)) classes &= ~(1 << classOf(byte));
  let takesAllBytes = true;
  for (let byte = 0x80; byte < 0x100 && takesAllBytes; byte++) takesAllBytes = isLoop(byte);
  if (takesAllBytes) return classes;
  classes &= ~(1 << BROKEN);
  return takesAllCharacters(automaton, state) ? classes : classes & ~(1 << WIDE);
}

/** Whether every character beyond ASCII leads back. */
function takesAllCharacters(automaton: RegexAutomaton, start: RegexId): boolean {
  const seen = new Set<string>();
  const open: (readonly [state: RegexId, utf8: number])[] = [[start, BETWEEN]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [state, utf8] = next;
    for (let byte = 0x80; byte < 0xf5; byte++) {
      const after = nextUtf8State(utf8, byte);
      if (after === NO_UTF8) continue;
      const reached = automaton.step(state, byte);
      const key = `${String(reached)},${String(after)}`;
      if (after === BETWEEN ? reached !== start : !automaton.isLive(reached)) return false;
      if (after === BETWEEN || seen.has(key)) continue;
      seen.add(key);
      open.push([reached, after]);
    }
  }
  return true;
}

const CLASS_OF_BYTE = Uint8Array.from({ length: 256 }, (_, byte) => {
  const own = OWN_CLASSES.indexOf(String.fromCharCode(byte));
  if (own !== -1) return own;
  if (byte >= 0x80) return WIDE;
  if (byte < 0x20 || byte === 0x7f) return CONTROL;
  if (byte >= 0x30 && byte <= 0x39) return DIGIT;
  if (byte >= 0x61 && byte <= 0x7a) return LOWER;
  return byte >= 0x41 && byte <= 0x5a ? UPPER : OTHER;
});

function classOf(byte: number): number {
  return CLASS_OF_BYTE[byte] ?? OTHER;
}

// States of a decoder of UTF-8: how many bytes are missing, and what restricts the next of them.
const BETWEEN = 0;
const NO_UTF8 = 8;
const AFTER_LEAD: readonly (readonly [first: number, last: number, state: number])[] = [
  [0x00, 0x7f, BETWEEN],
  [0xc2, 0xdf, 1],
  [0xe0, 0xe0, 4],
  [0xe1, 0xec, 2],
  [0xed, 0xed, 5],
  [0xee, 0xef, 2],
  [0xf0, 0xf0, 6],
  [0xf1, 0xf3, 3],
  [0xf4, 0xf4, 7],
];
const AFTER_STATE: Readonly<Record<number, readonly [first: number, last: number, state: number]>> = {
  1: [0x80, 0xbf, BETWEEN],
  2: [0x80, 0xbf, 1],
  3: [0x80, 0xbf, 2],
  4: [0xa0, 0xbf, 1],
  5: [0x80, 0x9f, 1],
  6: [0x90, 0xbf, 2],
  7: [0x80, 0x8f, 2],
};

const UTF8_STEPS = Uint8Array.from({ length: 9 * 256 }, (_, index) => {
  const [state, byte] = [index >> 8, index & 0xff];
  const ranges = state === BETWEEN ? AFTER_LEAD : [AFTER_STATE[state] ?? ([1, 0, NO_UTF8] as const)];
  return ranges.find(([first, last]) => byte >= first && byte <= last)?.[2] ?? NO_UTF8;
});

function nextUtf8State(state: number, byte: number): number {
  return UTF8_STEPS[(state << 8) | byte] ?? NO_UTF8;
}
