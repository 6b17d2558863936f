import { bytesIn, bytesOfText, hasByte } from './byte-set.js';
import type { GrammarMasks } from './grammar-masks.js';
import type { Pushdown, PushdownState } from './pushdown.js';

/** Bytes that lead to what answers are made of: names, texts, numbers, nesting, and their ends. */
const TYPICAL_BYTES = bytesIn(bytesOfText('"{}[],:a1-.e<@/A'));

/** Whitespace leads to states that differ only in how much more of it may come. */
const WHITESPACE = bytesOfText(' \t\n\r');

/** Where no more than so many bytes can come, as at names and literals, all of them are followed. */
const MAX_FOLLOWED_BYTES = 32;

/**
 * Works out the masks of the states that answers begin with, breadth first, so that the first answer need not wait for
 * them.
 *
 * @returns a generator that gives way after every state: some tenths of a millisecond, and some milliseconds where a
 *   lexeme of long texts is met for the first time.
 */
export function* warmUpStates(pushdown: Pushdown, masks: GrammarMasks, maxStates: number): Generator<void> {
  const seen = new Set<PushdownState>([pushdown.start()]);
  for (const state of seen) {
    masks.maskOf(state);
    yield;
    const first = pushdown.firstBytes(state);
    const all = bytesIn(first).filter((byte) => !hasByte(WHITESPACE, byte));
    const followed = all.length <= MAX_FOLLOWED_BYTES ? all : TYPICAL_BYTES.filter((byte) => hasByte(first, byte));
    for (const byte of followed) {
      const next = pushdown.step(state, byte);
      if (next !== null && seen.size < maxStates) seen.add(afterForced(pushdown, next));
    }
  }
}

/** Where the text has a choice again. */
function afterForced(pushdown: Pushdown, start: PushdownState): PushdownState {
  let state = start;
  for (let byte = pushdown.forcedByte(state); byte !== undefined; byte = pushdown.forcedByte(state)) {
    const next = pushdown.step(state, byte);
    if (next === null) break;
    state = next;
  }
  return state;
}
