import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import type { ConstrainedTool, Constraint } from './constraint.js';
import { type GrammarSymbol, Rule } from './grammar-symbol.js';
import { JsonText } from './json-text.js';
import { keepProductive } from './productive-rules.js';
import { wholeOf } from './whole-of.js';
import type { RegexAutomaton } from './regex-automaton.js';
import type { RegexId, RegexPool } from './regex-pool.js';
import { SchemaGrammar } from './schema-grammar.js';
import { anyParameters, toolParameters } from './tool-parameters.js';

type ToolCalls = Extract<Constraint, { readonly kind: 'tool_calls' }>;

const OPEN = '<tool_call>';
const CLOSE = '</tool_call>';

/** Answers with tool calls as the templates of Qwen3 (hermes) and Qwen3-Coder (XML) show them. */
export function toolCallRule(
  constraint: ToolCalls,
  automaton: RegexAutomaton,
  contentRule: (content: Constraint) => Rule,
): Rule {
  const { pool } = automaton;
  const text = new JsonText(pool, 'free');
  const { mode, parallel, content } = constraint;
  const called = calledTools(constraint);
  const call = new Rule('a tool call', () => called.map((tool) => callOf(tool, constraint.format, automaton)));
  const mayRepeat = parallel && typeof mode === 'string';
  const more: Rule = new Rule('more tool calls', () => [[], ...(mayRepeat ? [[text.tokens(OPEN), call, more]] : [])]);
  const calls = [text.tokens(OPEN), call, more];
  if (mode === 'auto' && content !== undefined) {
    const rule = contentRule(content);
    return new Rule('content or tool calls', () => [[rule], calls]);
  }
  if (mode === 'auto') {
    return new Rule('text and tool calls', () => [[textWithout(pool, OPEN)], [textUntil(pool, OPEN), call, more]]);
  }
  return new Rule('tool calls', () => [calls]);
}

function calledTools({ tools, mode }: ToolCalls): readonly ConstrainedTool[] {
  if (mode === 'auto') return tools;
  if (tools.length === 0)
    throw new ExpertmeshError('invalid_argument', 'a tool call is required, but there are no tools');
  if (mode === 'required') return tools;
  const named = tools.filter(({ name }) => name === mode.named);
  if (named.length > 0) return named;
  const known = tools.map(({ name }) => JSON.stringify(name)).join(', ');
  throw new ExpertmeshError('invalid_argument', `tool ${JSON.stringify(mode.named)} is none of the tools: ${known}`);
}

/** What follows `<tool_call>`. */
function callOf(tool: ConstrainedTool, format: ToolCalls['format'], automaton: RegexAutomaton): GrammarSymbol[] {
  const text = new JsonText(automaton.pool, 'free');
  const name = JSON.stringify(tool.name);
  switch (format) {
    case 'hermes': {
      const head = text.tokens('{', '"name"', ':', name, ',', '"arguments"', ':');
      return [head, argumentsRule(tool, automaton, jsonArguments), text.tokens('}', CLOSE)];
    }
    case 'qwen3_coder_xml':
      if (/[<>\n]/.test(tool.name)) {
        throw new ExpertmeshError('invalid_argument', `tool ${name}: a name in XML has no <, > or line break`);
      }
      return [
        text.tokens(`<function=${tool.name}>`),
        argumentsRule(tool, automaton, (grammar) => toolParameters(grammar)),
        text.tokens('</function>', CLOSE),
      ];
  }
}

function jsonArguments(grammar: SchemaGrammar): Rule {
  const shapes = grammar.reader.shapesOf(grammar.rootSchemas()).filter(({ kind }) => kind === 'object');
  return new Rule('arguments', () => grammar.alternativesOf(shapes));
}

/** Tools that are not strict take any object where their parameters cannot be enforced. */
function argumentsRule(
  { name, parameters, strict }: ConstrainedTool,
  automaton: RegexAutomaton,
  ruleOf: (grammar: SchemaGrammar) => Rule,
): Rule {
  const any = () =>
    ruleOf === jsonArguments ? jsonArguments(new SchemaGrammar({}, automaton)) : anyParameters(automaton);
  if (parameters === undefined || parameters === null) return any();
  try {
    const rule = ruleOf(new SchemaGrammar(parameters, automaton));
    if (wholeOf(keepProductive(rule, automaton))) return rule;
    throw new ExpertmeshError('invalid_argument', 'no arguments satisfy its parameters');
  } catch (error) {
    const { code, message } = ExpertmeshError.from(error);
    if (code !== 'invalid_argument') throw error;
    if (!strict) return any();
    throw new ExpertmeshError('invalid_argument', `tool ${JSON.stringify(name)}: ${message}`, { cause: error });
  }
}

function textWithout(pool: RegexPool, mark: string): RegexId {
  const any = anyBytes(pool);
  return pool.not(pool.sequence(any, pool.literal(mark), any));
}

/** Text that ends with the first `mark` in it. */
function textUntil(pool: RegexPool, mark: string): RegexId {
  const any = anyBytes(pool);
  const found = pool.sequence(any, pool.literal(mark));
  return pool.both([found, pool.not(pool.sequence(found, pool.range(0, 255), any))]);
}

function anyBytes(pool: RegexPool): RegexId {
  return pool.repeat(pool.range(0, 255), 0, Infinity);
}
