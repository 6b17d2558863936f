import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type GrammarSymbol, type Rule } from './grammar-symbol.js';
import type { RegexAutomaton } from './regex-automaton.js';

/** Grammars with more rules than this are refused: each costs memory for as long as its constraint is kept. */
const MAX_RULES = 200_000;

/** Of all rules together, likewise. */
const MAX_ALTERNATIVES = 20_000;

/** Rules that are worked out, and looked at, in one piece: about a millisecond's work. */
const MAKE_TOGETHER = 8;
const LOOK_TOGETHER = 1024;

/**
 * Takes out of the grammar below `root` every alternative that no text completes, so that an answer never begins what
 * it cannot end. Works out all rules, which also finds what is not supported. It can be drawn from between other work.
 *
 * @returns whether anything is left.
 */
export function* keepProductive(root: Rule, automaton: RegexAutomaton): Generator<void, boolean> {
  const rules = yield* reachable(root);
  const productive = new Set<Rule>();
  const isPossible = (alternative: readonly GrammarSymbol[]): boolean =>
    alternative.every((symbol) => (typeof symbol === 'number' ? automaton.isLive(symbol) : productive.has(symbol)));
  // Rules that others are made of stand later, so going backwards needs few rounds.
  for (let before = -1; before < productive.size;) {
    before = productive.size;
    for (const [index, rule] of rules.toReversed().entries()) {
      if (index % LOOK_TOGETHER === 0) yield;
      if (!productive.has(rule) && rule.alternatives.some(isPossible)) productive.add(rule);
    }
  }
  for (const rule of rules) rule.keep(isPossible);
  return productive.has(root);
}

function* reachable(root: Rule): Generator<void, readonly Rule[]> {
  const rules = new Set([root]);
  let numAlternatives = 0;
  let numMade = 0;
  for (const rule of rules) {
    if (numMade++ % MAKE_TOGETHER === 0) yield;
    numAlternatives += rule.alternatives.length;
    for (const symbol of rule.alternatives.flat()) if (typeof symbol !== 'number') rules.add(symbol);
    if (rules.size > MAX_RULES) throw tooLarge(`${String(MAX_RULES)} rules`);
    if (numAlternatives > MAX_ALTERNATIVES) throw tooLarge(`${String(MAX_ALTERNATIVES)} alternatives`);
  }
  return [...rules];
}

const tooLarge = (limit: string): ExpertmeshError =>
  new ExpertmeshError(
    'invalid_argument',
    `the constraint needs more than ${limit}; use smaller bounds of arrays and fewer optional properties`,
  );
