import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { constraintRule } from './constraint-rule.js';
import { type Constraint } from './constraint.js';
import { type Rule } from './grammar-symbol.js';
import { keepProductive } from './productive-rules.js';
import { RegexAutomaton } from './regex-automaton.js';
import { wholeOf } from './whole-of.js';

/**
 * Whether answers can be held to a constraint, without the vocabulary that this takes.
 *
 * @throws ExpertmeshError `invalid_argument` for what is not supported, naming the keyword and its path, and for what
 *   no answer satisfies.
 */
export function checkConstraint(constraint: Constraint): void {
  wholeOf(satisfiableRule(constraint, new RegexAutomaton()));
}

/** The grammar of a constraint's answers, of which there are some, in pieces. Errors as `checkConstraint`. */
export function* satisfiableRule(constraint: Constraint, automaton: RegexAutomaton): Generator<void, Rule> {
  const root = constraintRule(constraint, automaton);
  if (yield* keepProductive(root, automaton)) return root;
  throw new ExpertmeshError(
    'invalid_argument',
    `no answer satisfies the ${constraint.kind}: what it asks excludes itself`,
  );
}
