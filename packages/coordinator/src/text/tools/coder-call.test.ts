import { describe, expect, it } from 'vitest';
import { type AnswerCase, readAnswer } from '@expertmesh/test-kit/read-answer';
import { AnswerParser } from '../answer-parser.js';
import { type ToolOffer } from '../tool-call-parser.js';

const toolOffer: ToolOffer = {
  format: 'qwen3_coder_xml',
  tools: [
    {
      name: 'mul',
      parameters: {
        type: 'object',
        properties: {
          a: { type: 'integer' },
          b: { type: 'number' },
          on: { type: 'boolean' },
          tags: { type: 'array', items: { type: 'string' } },
          at: { $ref: '#/$defs/Point' },
          note: { type: 'string' },
          maybe: { anyOf: [{ type: 'string' }, { type: 'null' }] },
          limit: { type: ['integer', 'null'] },
          level: { enum: [1, 2, 3] },
          free: { description: 'no type' },
        },
        $defs: { Point: { type: 'object' } },
      },
    },
  ],
};

function coderCall(...parameters: readonly (readonly [string, string])[]): string {
  const written = parameters.map(([key, value]) => `<parameter=${key}>\n${value}\n</parameter>\n`).join('');
  return `<tool_call>\n<function=mul>\n${written}</function>\n</tool_call>`;
}

const CASES: Readonly<Record<string, AnswerCase>> = {
  'an integer, typed by the schema': {
    text: '<tool_call>\n<function=mul>\n<parameter=a>\n3\n</parameter>\n</function>\n</tool_call>',
    answer: { calls: [['mul', '{"a": 3}']] },
  },
  'a large integer': {
    text: coderCall(['a', '12345678901234567890']),
    answer: { calls: [['mul', '{"a": 12345678901234567890}']] },
  },
  'an integer that is written with a point': {
    text: coderCall(['a', '3.0']),
    answer: { calls: [['mul', '{"a": 3}']] },
  },
  'a number': { text: coderCall(['b', '1.50']), answer: { calls: [['mul', '{"b": 1.50}']] } },
  'booleans in Python and in JSON': { text: coderCall(['on', 'True']), answer: { calls: [['mul', '{"on": true}']] } },
  'an array': { text: coderCall(['tags', '["x", "y"]']), answer: { calls: [['mul', '{"tags": ["x", "y"]}']] } },
  'an object behind a reference': {
    text: coderCall(['at', '{"x": 1}']),
    answer: { calls: [['mul', '{"at": {"x": 1}}']] },
  },
  'a string that looks like a number': {
    text: coderCall(['note', '42']),
    answer: { calls: [['mul', '{"note": "42"}']] },
  },
  'a nullable string': { text: coderCall(['maybe', 'null']), answer: { calls: [['mul', '{"maybe": null}']] } },
  'a nullable integer': {
    text: coderCall(['limit', 'null'], ['a', '1']),
    answer: { calls: [['mul', '{"limit": null, "a": 1}']] },
  },
  'a type by the values of an enum': { text: coderCall(['level', '2']), answer: { calls: [['mul', '{"level": 2}']] } },
  'an argument without a type is a string': {
    text: coderCall(['free', '2']),
    answer: { calls: [['mul', '{"free": "2"}']] },
  },
  'an argument that the schema does not have is a string': {
    text: coderCall(['x', '2']),
    answer: { calls: [['mul', '{"x": "2"}']] },
  },
  'a value of another type stays a string': {
    text: coderCall(['a', 'three']),
    answer: { calls: [['mul', '{"a": "three"}']] },
  },
  'several lines': {
    text: coderCall(['note', 'a\n\n  "b"\\']),
    answer: { calls: [['mul', '{"note": "a\\n\\n  \\"b\\"\\\\"}']] },
  },
  'an empty string': { text: coderCall(['note', '']), answer: { calls: [['mul', '{"note": ""}']] } },
  'markup inside a value is text': {
    text: coderCall(['note', 'see </tool_call>, </function> and <parameter=x> </parameter> here']),
    answer: { calls: [['mul', '{"note": "see </tool_call>, </function> and <parameter=x> </parameter> here"}']] },
  },
  'values without newlines around': {
    text: '<tool_call><function=mul><parameter=a>3</parameter><parameter=note>x</parameter></function></tool_call>',
    answer: { calls: [['mul', '{"a": 3, "note": "x"}']] },
  },
  'no arguments': {
    text: '<tool_call>\n<function=mul>\n</function>\n</tool_call>',
    answer: { calls: [['mul', '{}']] },
  },
  'a missing outer opening tag': {
    text: 'Now:\n<function=mul>\n<parameter=a>\n3\n</parameter>\n</function>\n</tool_call>',
    answer: { content: 'Now:', calls: [['mul', '{"a": 3}']] },
  },
  'a missing closing tag of a parameter': {
    text: '<tool_call>\n<function=mul>\n<parameter=note>\nx\n<parameter=a>\n3\n</function>\n</tool_call>',
    answer: { calls: [['mul', '{"note": "x", "a": 3}']] },
  },
  'missing closing tags of function and call': {
    text: '<tool_call>\n<function=mul>\n<parameter=a>\n3\n</parameter>',
    answer: { calls: [['mul', '{"a": 3}']] },
  },
  'arguments that are cut stay cut': {
    text: '<tool_call>\n<function=mul>\n<parameter=a>\n3\n</parameter>\n',
    answer: { calls: [['mul', '{"a": 3']] },
    isCut: true,
  },
  'parallel calls, one block each': {
    text: `${coderCall(['a', '1'])}\n${coderCall(['a', '2'])}`,
    answer: {
      calls: [
        ['mul', '{"a": 1}'],
        ['mul', '{"a": 2}'],
      ],
    },
  },
  'parallel calls in one block': {
    text: '<tool_call>\n<function=mul>\n</function>\n<function=mul>\n</function>\n</tool_call>',
    answer: {
      calls: [
        ['mul', '{}'],
        ['mul', '{}'],
      ],
    },
  },
  'a name that was not offered': {
    text: '<tool_call><function=x><parameter=a>1</parameter></function></tool_call>',
    answer: { calls: [['x', '{"a": "1"}']] },
  },
  'tags that are spoken of are content': {
    text: 'Write <tool_call> or <function=f> here',
    answer: { content: 'Write <tool_call> or <function=f> here' },
  },
  'a block of JSON is content': {
    text: '<tool_call>\n{"name": "mul"}\n</tool_call>',
    answer: { content: '<tool_call>\n{"name": "mul"}\n</tool_call>' },
  },
  'a call in thinking that is never closed': {
    text: `hm\n${coderCall(['a', '3'])}`,
    answer: { reasoning: 'hm', calls: [['mul', '{"a": 3}']] },
    startsInThinking: true,
  },
};

describe("Qwen3-Coder's calls", () => {
  it.each(Object.entries(CASES))('%s', (_, { text, answer, isCut = false, startsInThinking = false }) => {
    const newParser = (): AnswerParser => new AnswerParser({ startsInThinking, toolOffer });
    expect(readAnswer(newParser, text, { isCut })).toEqual({ reasoning: '', content: '', calls: [], ...answer });
  });

  it('come as they are written where they are strings', () => {
    const parser = new AnswerParser({ startsInThinking: false, toolOffer });
    parser.push('<tool_call>\n<function=mul>\n<parameter=note>\n');
    expect(parser.push('on')).toEqual([{ kind: 'call_arguments', callIndex: 0, text: 'on' }]);
    expect(parser.push('ce\n')).toEqual([{ kind: 'call_arguments', callIndex: 0, text: 'ce' }]);
    expect(parser.push('more')).toEqual([{ kind: 'call_arguments', callIndex: 0, text: '\\nmore' }]);
  });
});
