import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import type { Constraint } from './constraint.js';
import { type GrammarSymbol, Rule } from './grammar-symbol.js';
import { wholeRegex } from './pattern-regex.js';
import type { RegexAutomaton } from './regex-automaton.js';
import { SchemaGrammar } from './schema-grammar.js';
import { toolCallRule } from './tool-call-rule.js';
import { gbnfRule } from './gbnf-rule.js';

/** The grammar of the answers that a constraint allows. */
export function constraintRule(constraint: Constraint, automaton: RegexAutomaton): Rule {
  const { pool } = automaton;
  switch (constraint.kind) {
    case 'json_object':
      return new SchemaGrammar({ type: 'object' }, automaton, constraint.whitespace).root();
    case 'json_schema':
      return new SchemaGrammar(constraint.schema, automaton, constraint.whitespace).root();
    case 'regex':
      return ruleOf(wholeRegex(pool, constraint.pattern, { encoding: 'raw', where: 'regex' }));
    case 'choice':
      if (constraint.choices.length === 0)
        throw new ExpertmeshError('invalid_argument', 'choice: give at least one choice');
      return ruleOf(pool.literals(constraint.choices));
    case 'grammar':
      return gbnfRule(constraint.source, automaton);
    case 'tool_calls':
      return toolCallRule(constraint, automaton, (content) => constraintRule(content, automaton));
  }
}

function ruleOf(symbol: GrammarSymbol): Rule {
  return new Rule('the answer', () => [[symbol]]);
}
