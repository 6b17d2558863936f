import type { Constraint } from './constraint.js';
import { satisfiableRule } from './check-constraint.js';
import { forgetOldest } from './forget-oldest.js';
import { ConstraintState } from './constraint-state.js';
import { GrammarMasks } from './grammar-masks.js';
import { LexemeMasks } from './lexeme-masks.js';
import { Pushdown } from './pushdown.js';
import type { TokenVocabulary } from './token-vocabulary.js';
import { warmUpStates } from './warm-up.js';
import { wholeOf } from './whole-of.js';

/** A constraint that answers can be held to, any number of them at a time. */
export interface CompiledConstraint {
  start(): ConstraintState;
  /**
   * Works out the masks that answers begin with; without it the first answer does, a token at a time. To be drawn from
   * between other work: one piece takes from a tenth of a millisecond to some milliseconds.
   */
  warmUp(): Generator<void>;
  /** About what its masks and states take in memory by now. */
  readonly sizeBytes: number;
}

/** States that a warm-up works out: those of a few objects within each other. */
const MAX_WARM_STATES = 400;

/** Beyond so many states of lexemes (a kilobyte each) later constraints begin anew, and what only old ones use goes. */
const MAX_LEXEME_STATES = 100_000;

interface VocabularyCache {
  lexemes: LexemeMasks;
  readonly constraints: Map<string, CompiledConstraint>;
}

const caches = new WeakMap<TokenVocabulary, VocabularyCache>();

/**
 * Compiled once per constraint and vocabulary; what strings and numbers mean in tokens is shared by all constraints of
 * a vocabulary. The first call for a vocabulary sorts its tokens, which takes a few hundred milliseconds.
 *
 * @throws ExpertmeshError `invalid_argument` for what is not supported, naming the keyword and its path, and for what
 *   no answer satisfies.
 */
export function compileConstraint(constraint: Constraint, vocabulary: TokenVocabulary): CompiledConstraint {
  return wholeOf(compileInPieces(constraint, vocabulary));
}

/** As compileConstraint, to be drawn from between other work: most pieces take a millisecond. */
export function* compileInPieces(
  constraint: Constraint,
  vocabulary: TokenVocabulary,
): Generator<void, CompiledConstraint> {
  const cache = cacheOf(vocabulary);
  const key = JSON.stringify(constraint);
  const compiled = cache.constraints.get(key) ?? (yield* compile(constraint, vocabulary, cache.lexemes));
  cache.constraints.delete(key);
  cache.constraints.set(key, compiled);
  forgetOldest(cache.constraints);
  return compiled;
}

function cacheOf(vocabulary: TokenVocabulary): VocabularyCache {
  const known = caches.get(vocabulary);
  if (known === undefined) {
    const cache = { lexemes: new LexemeMasks(vocabulary), constraints: new Map<string, CompiledConstraint>() };
    caches.set(vocabulary, cache);
    return cache;
  }
  if (known.lexemes.numStates > MAX_LEXEME_STATES) {
    known.lexemes = known.lexemes.renewed(vocabulary);
    known.constraints.clear();
  }
  return known;
}

function* compile(
  constraint: Constraint,
  vocabulary: TokenVocabulary,
  lexemes: LexemeMasks,
): Generator<void, CompiledConstraint> {
  const { automaton } = lexemes;
  const root = yield* satisfiableRule(constraint, automaton);
  const pushdown = new Pushdown(automaton, root);
  const parts = { pushdown, vocabulary, masks: new GrammarMasks(pushdown, lexemes, vocabulary) };
  return {
    start: () => new ConstraintState(parts),
    warmUp: () => warmUpStates(pushdown, parts.masks, MAX_WARM_STATES),
    get sizeBytes() {
      return parts.masks.sizeBytes + pushdown.sizeBytes;
    },
  };
}
