import { expect, it, vi } from 'vitest';
import { objectRules } from './object-rules.js';
import { RegexAutomaton } from './regex-automaton.js';
import { SchemaGrammar } from './schema-grammar.js';

it('works out a member when its rule is, so that a large object is no long piece', () => {
  const names = Array.from({ length: 4_000 }, (_, index) => `property${String(index)}`);
  const properties = Object.fromEntries(names.map((name) => [name, { type: 'boolean' }]));
  const schema = { type: 'object', properties, required: names, additionalProperties: false };
  const grammar = new SchemaGrammar(schema, new RegexAutomaton());
  const [shape] = grammar.reader.shapesOf(grammar.rootSchemas());
  if (shape?.kind !== 'object') throw new Error('it is an object');
  const isValid = vi.spyOn(grammar.reader, 'isValid');
  const rule = objectRules(shape, grammar);
  expect(isValid).toHaveBeenCalledTimes(0);
  expect(rule.alternatives).toHaveLength(1);
  expect(isValid).toHaveBeenCalledTimes(1);
});
