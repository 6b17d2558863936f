import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import type { Gbnf } from './gbnf-syntax.js';
import { type Rule } from './grammar-symbol.js';
import type { RegexPool } from './regex-pool.js';

/** `a ::= a x | y` as `a ::= y x*`, which means the same. */
export function withoutLeftRecursion(name: string, source: Gbnf): Gbnf {
  if (source.kind !== 'choice') return source;
  const rests: Gbnf[] = [];
  const others: Gbnf[] = [];
  for (const option of source.options) {
    const [first, ...rest] = option.kind === 'sequence' ? option.items : [option];
    if (first?.kind === 'reference' && first.name === name) rests.push({ kind: 'sequence', items: rest });
    else others.push(option);
  }
  if (rests.length === 0) return source;
  const more: Gbnf = { kind: 'repeat', item: { kind: 'choice', options: rests }, min: 0, max: Infinity };
  return { kind: 'sequence', items: [{ kind: 'choice', options: others }, more] };
}

/**
 * @throws ExpertmeshError `invalid_argument` naming a rule that may begin with itself by way of others: reading it
 *   would never come to a byte.
 */
export function checkLeftRecursion(root: Rule, pool: RegexPool): void {
  const nullable = nullableRules(root, pool);
  const done = new Set<Rule>();
  const open = new Set<Rule>();
  const visit = (rule: Rule): void => {
    if (done.has(rule)) return;
    if (open.has(rule)) {
      const problem = `rule ${rule.name} may begin with itself by way of others; rewrite it with * or +`;
      throw new ExpertmeshError('invalid_argument', `grammar: ${problem}`);
    }
    open.add(rule);
    for (const alternative of rule.alternatives) {
      for (const symbol of alternative) {
        if (typeof symbol === 'number' ? !pool.isNullable(symbol) : (visit(symbol), !nullable.has(symbol))) break;
      }
    }
    open.delete(rule);
    done.add(rule);
  };
  for (const rule of reachable(root)) visit(rule);
}

function nullableRules(root: Rule, pool: RegexPool): ReadonlySet<Rule> {
  const rules = reachable(root);
  const nullable = new Set<Rule>();
  for (let before = -1; before < nullable.size;) {
    before = nullable.size;
    for (const rule of rules) {
      const isNullable = rule.alternatives.some((alternative) =>
        alternative.every((symbol) => (typeof symbol === 'number' ? pool.isNullable(symbol) : nullable.has(symbol))),
      );
      if (isNullable) nullable.add(rule);
    }
  }
  return nullable;
}

function reachable(root: Rule): ReadonlySet<Rule> {
  const rules = new Set([root]);
  for (const rule of rules) {
    for (const symbol of rule.alternatives.flat()) if (typeof symbol !== 'number') rules.add(symbol);
  }
  return rules;
}
