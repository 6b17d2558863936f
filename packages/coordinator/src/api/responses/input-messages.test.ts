import { describe, expect, it } from 'vitest';
import { carryThinking } from '../carried-thinking.js';
import { toTemplateMessages } from './input-messages.js';

const question = { type: 'message', role: 'user', content: 'Add.' } as const;
const call = { type: 'function_call', call_id: 'c1', name: 'add', arguments: '{"a":1}' } as const;
const output = { type: 'function_call_output', call_id: 'c1', output: '2' } as const;
const answer = { type: 'message', role: 'assistant', content: 'Adding.' } as const;
const templateCall = { id: 'c1', type: 'function', function: { name: 'add', arguments: '{"a":1}' } };

describe('toTemplateMessages', () => {
  it('makes one message of the thinking, the text and the calls of an answer', () => {
    const reasoning = { type: 'reasoning', content: [{ text: 'hm' }] } as const;
    expect(toTemplateMessages([question, { ...reasoning, content: [{ text: 'hm' }] }, answer, call, output])).toEqual([
      { role: 'user', content: 'Add.' },
      { role: 'assistant', content: 'Adding.', reasoning_content: 'hm', tool_calls: [templateCall] },
      { role: 'tool', tool_call_id: 'c1', content: '2' },
    ]);
  });

  it('begins another message where an answer cannot go on', () => {
    const reasoning = { type: 'reasoning' as const, content: [{ text: 'then' }] };
    const messages = toTemplateMessages([call, output, reasoning, answer, answer]);
    expect(messages.map(({ role }) => role)).toEqual(['assistant', 'tool', 'assistant', 'assistant']);
    expect(toTemplateMessages([call, reasoning])).toHaveLength(2);
  });

  it.each([
    ['its content', { content: [{ text: 'hm' }], encrypted_content: carryThinking('carried') }],
    ['what carries it', { content: [], summary: [{ text: 'summed up' }], encrypted_content: carryThinking('hm') }],
    ['its summary', { summary: [{ text: 'hm' }], encrypted_content: 'gAAAA of another server' }],
  ])('reads thinking from %s', (_, reasoning) => {
    const [message] = toTemplateMessages([{ type: 'reasoning', ...reasoning }, answer]);
    expect(message).toEqual({ role: 'assistant', content: 'Adding.', reasoning_content: 'hm' });
  });

  it('takes instructions of a developer as those of the system', () => {
    const message = { type: 'message', role: 'developer', content: 'Be brief.' } as const;
    expect(toTemplateMessages([message])).toEqual([{ role: 'system', content: 'Be brief.' }]);
  });
});
