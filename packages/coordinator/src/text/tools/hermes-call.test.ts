import { describe, expect, it } from 'vitest';
import { type AnswerCase, readAnswer } from '@expertmesh/test-kit/read-answer';
import { AnswerParser } from '../answer-parser.js';
import { type ToolOffer } from '../tool-call-parser.js';

const toolOffer: ToolOffer = { format: 'hermes', tools: [] };

const call = (json: string): string => `<tool_call>\n${json}\n</tool_call>`;
const CASES: Readonly<Record<string, AnswerCase>> = {
  'a closing tag inside a string is text': {
    text: '<tool_call>{"name":"w","arguments":{"text":"see the </tool_call> tag"}}</tool_call>',
    answer: { calls: [['w', '{"text":"see the </tool_call> tag"}']] },
  },
  'an opening tag inside a string is text': {
    text: '<tool_call>{"name":"w","arguments":{"text":"<tool_call>{\\"name\\":\\"x\\"}"}}</tool_call>',
    answer: { calls: [['w', '{"text":"<tool_call>{\\"name\\":\\"x\\"}"}']] },
  },
  'missing arguments are an empty object': {
    text: '<tool_call>{"name":"now"}</tool_call>',
    answer: { calls: [['now', '{}']] },
  },
  'arguments of null are an empty object': {
    text: call('{"name": "now", "arguments": null}'),
    answer: { calls: [['now', '{}']] },
  },
  'empty arguments': { text: call('{"name": "now", "arguments": {}}'), answer: { calls: [['now', '{}']] } },
  'a missing closing tag': {
    text: '<tool_call>\n{"name": "add", "arguments": {"a": 1}}',
    answer: { calls: [['add', '{"a": 1}']] },
  },
  'a missing closing tag with a newline behind': {
    text: '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n',
    answer: { calls: [['add', '{"a": 1}']] },
  },
  'a missing closing tag, and text behind': {
    text: '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\nDone.',
    answer: { content: 'Done.', calls: [['add', '{"a": 1}']] },
  },
  'a cut closing tag': {
    text: '<tool_call>{"name": "now"}</tool_',
    answer: { content: '</tool_', calls: [['now', '{}']] },
  },
  'parallel calls': {
    text: `${call('{"name": "a", "arguments": {"x": 1}}')}\n${call('{"name": "b", "arguments": {"x": 2}}')}`,
    answer: {
      calls: [
        ['a', '{"x": 1}'],
        ['b', '{"x": 2}'],
      ],
    },
  },
  'parallel calls in one block': {
    text: call('{"name": "a", "arguments": {}}\n{"name": "b"}'),
    answer: {
      calls: [
        ['a', '{}'],
        ['b', '{}'],
      ],
    },
  },
  'a call that begins before the last was closed': {
    text: '<tool_call>{"name": "a"}<tool_call>{"name": "b"}</tool_call>',
    answer: {
      calls: [
        ['a', '{}'],
        ['b', '{}'],
      ],
    },
  },
  'content before, between and behind calls': {
    text: `I add. ${call('{"name": "a"}')} Then: ${call('{"name": "b"}')} Done.`,
    answer: {
      content: 'I add. Then: Done.',
      calls: [
        ['a', '{}'],
        ['b', '{}'],
      ],
    },
  },
  'numbers stay as they are written': {
    text: call('{"name": "f", "arguments": {"id": 12345678901234567890, "x": 1.0, "e": 1e5}}'),
    answer: { calls: [['f', '{"id": 12345678901234567890, "x": 1.0, "e": 1e5}']] },
  },
  'key order stays as it is written': {
    text: call('{"name": "f", "arguments": {"b": 1, "10": 2, "2": 3}}'),
    answer: { calls: [['f', '{"b": 1, "10": 2, "2": 3}']] },
  },
  'escapes and other scripts stay as they are written': {
    text: call('{"name": "f", "arguments": {"s": "\\u00e9 é 🙂 \\"q\\" \\\\"}}'),
    answer: { calls: [['f', '{"s": "\\u00e9 é 🙂 \\"q\\" \\\\"}']] },
  },
  'control characters in strings are escaped, as JSON has none': {
    text: call('{"name": "f", "arguments": {"s": "a\nb\tc"}}'),
    answer: { calls: [['f', '{"s": "a\\nb\\tc"}']] },
  },
  'arguments before the name': {
    text: call('{"arguments": {"a": 1}, "name": "f"}'),
    answer: { calls: [['f', '{"a": 1}']] },
  },
  'members that are not read, before and behind': {
    text: call('{"id": "c1", "n": 3, "name": "f", "arguments": {"a": 1}, "type": "function"}'),
    answer: { calls: [['f', '{"a": 1}']] },
  },
  'parameters instead of arguments': {
    text: call('{"name": "f", "parameters": {"a": 1}}'),
    answer: { calls: [['f', '{"a": 1}']] },
  },
  'arguments written as a string of JSON': {
    text: call('{"name": "f", "arguments": "{\\"a\\": 1}"}'),
    answer: { calls: [['f', '{"a": 1}']] },
  },
  'a bracket too many': { text: call('{"name": "f", "arguments": {"a": 1}}}'), answer: { calls: [['f', '{"a": 1}']] } },
  'a missing bracket of the call': {
    text: call('{"name": "f", "arguments": {"a": 1}'),
    answer: { calls: [['f', '{"a": 1}']] },
  },
  'missing brackets of the arguments': {
    text: call('{"name": "f", "arguments": {"a": [1, {"b": 2'),
    answer: { calls: [['f', '{"a": [1, {"b": 2\n}]}']] },
  },
  'arguments that are no JSON are left for the client to judge': {
    text: call('{"name": "f", "arguments": {"a": "x"y"}}'),
    answer: { calls: [['f', '{"a": "x"y"}']] },
  },
  'arguments that are cut stay cut': {
    text: '<tool_call>\n{"name": "f", "arguments": {"a": "x',
    answer: { calls: [['f', '{"a": "x']] },
    isCut: true,
  },
  'a call that is cut in its name stays content': {
    text: '<tool_call>\n{"name": "f',
    answer: { content: '<tool_call>\n{"name": "f' },
  },
  'a name that was not offered is a call': { text: call('{"name": "other"}'), answer: { calls: [['other', '{}']] } },
  'no whitespace at all': {
    text: '<tool_call>{"name":"f","arguments":{"a":{"b":[]}}}</tool_call>',
    answer: { calls: [['f', '{"a":{"b":[]}}']] },
  },
  'JSON without tags is content': {
    text: '{"name": "f", "arguments": {}}',
    answer: { content: '{"name": "f", "arguments": {}}' },
  },
  'tags that are spoken of are content': {
    text: 'Write <tool_call> first.',
    answer: { content: 'Write <tool_call> first.' },
  },
  'a call in thinking that is never closed': {
    text: '<think>\nI need the time.\n<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>',
    answer: { reasoning: 'I need the time.', calls: [['now', '{}']] },
  },
  'a call without its closing tag in thinking that is never closed': {
    text: 'I need the time.\n<tool_call>\n{"name": "now", "arguments": {}}',
    answer: { reasoning: 'I need the time.', calls: [['now', '{}']] },
    startsInThinking: true,
  },
  'a call in thinking that goes on is thinking': {
    text: 'I could\n<tool_call>{"name": "now"}</tool_call>\nor not.\n</think>\n\nNo.',
    answer: { reasoning: 'I could\n<tool_call>{"name": "now"}</tool_call>\nor not.', content: 'No.' },
    startsInThinking: true,
  },
  'a call at the end of thinking that is closed is thinking': {
    text: 'hm <tool_call>{"name": "now"}</tool_call></think>No.',
    answer: { reasoning: 'hm <tool_call>{"name": "now"}</tool_call>', content: 'No.' },
    startsInThinking: true,
  },
  'a call in thinking that is cut in the call is thinking': {
    text: 'hm <tool_call>{"name": "now", "arguments": {"a',
    answer: { reasoning: 'hm <tool_call>{"name": "now", "arguments": {"a' },
    startsInThinking: true,
    isCut: true,
  },
  'the second call in thinking counts when the first was only spoken of': {
    text: 'a <tool_call> or <tool_call>{"name": "now"}</tool_call>',
    answer: { reasoning: 'a <tool_call> or', calls: [['now', '{}']] },
    startsInThinking: true,
  },
};

describe('hermes calls', () => {
  it.each(Object.entries(CASES))('%s', (_, { text, answer, isCut = false, startsInThinking = false }) => {
    const newParser = (): AnswerParser => new AnswerParser({ startsInThinking, toolOffer });
    expect(readAnswer(newParser, text, { isCut })).toEqual({ reasoning: '', content: '', calls: [], ...answer });
  });

  it('come as they are written, from the first bracket of the arguments on', () => {
    const parser = new AnswerParser({ startsInThinking: false, toolOffer });
    expect(parser.push('<tool_call>\n{"name": "w", "arguments": ')).toEqual([]);
    expect(parser.push('{')).toEqual([
      { kind: 'call_start', callIndex: 0, name: 'w' },
      { kind: 'call_arguments', callIndex: 0, text: '{' },
    ]);
    expect(parser.push('"text": "on')).toEqual([{ kind: 'call_arguments', callIndex: 0, text: '"text": "on' }]);
    expect(parser.push('ce"}')).toEqual([{ kind: 'call_arguments', callIndex: 0, text: 'ce"}' }]);
  });
});
