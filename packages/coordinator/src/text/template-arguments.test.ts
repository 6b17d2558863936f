import { describe, expect, it } from 'vitest';
import { CODER_TEMPLATE, qwen3Template, THINKING_TEMPLATE } from '@expertmesh/test-kit/chat-templates';
import { ChatTemplate } from './chat-template.js';
import { type TemplateMessage } from './template-message.js';

const qwen3 = new ChatTemplate(qwen3Template(), {});
const coder = new ChatTemplate(CODER_TEMPLATE, {});

function history(args: unknown): readonly TemplateMessage[] {
  const call = { type: 'function' as const, function: { name: 'f', arguments: args } };
  return [
    { role: 'user', content: 'q' },
    { role: 'assistant', content: '', tool_calls: [call] },
    { role: 'tool', content: 'r' },
  ];
}

/** What Qwen3's template writes for the arguments of a call in history. */
function printed(args: unknown): string | undefined {
  const prompt = qwen3.render({ messages: history(args), addGenerationPrompt: false });
  return /"arguments": ([^]*)\}\n<\/tool_call>/u.exec(prompt)?.[1];
}

describe('arguments in history', () => {
  it.each([
    ['without spaces, as JSON.stringify writes them', '{"city":"Paris"}', '{"city": "Paris"}'],
    ['with nothing', '', '{}'],
    ['with nothing but space', ' \n', '{}'],
    ['with an empty object', '{}', '{}'],
    ['with nested values', '{"a":[1,{"b":null}],"c":true}', '{"a": [1, {"b": null}], "c": true}'],
    ['with large integers', '{"id":12345678901234567890}', '{"id": 12345678901234567890}'],
    ['with floats that are whole', '{"x":1.0,"y":-0.0,"z":2}', '{"x": 1.0, "y": -0.0, "z": 2}'],
    ['with exponents', '{"x":1e5,"y":1E-7}', '{"x": 100000.0, "y": 1e-07}'],
    ['with keys that are numbers', '{"b":1,"10":2,"2":3}', '{"b": 1, "10": 2, "2": 3}'],
    ['with other scripts', '{"s":"\\u00e9é🙂"}', '{"s": "éé🙂"}'],
    ['with escapes', '{"s":"a\\n\\"b\\"\\u0001\\/"}', '{"s": "a\\n\\"b\\"\\u0001/"}'],
    ['with numbers in strings', '{"s":"1.0 and 12345678901234567890"}', '{"s": "1.0 and 12345678901234567890"}'],
    ['with the key __proto__', '{"__proto__":1}', '{"__proto__": 1}'],
    ['that were cut', '{"city":"Par', '{"city":"Par'],
    ['that are no object', '[1]', '[1]'],
  ])('%s print as Python would', (_, args, text) => {
    expect(printed(args)).toBe(text);
  });

  it('may be values, or left out', () => {
    expect(printed({ city: 'Paris' })).toBe('{"city": "Paris"}');
    expect(printed(undefined)).toBe('{}');
  });

  it('are objects for templates that go over their items', () => {
    const prompt = coder.render({ messages: history('{"a":1.0,"o":{"x":[1]},"s":"t"}'), addGenerationPrompt: false });
    expect(prompt).toContain(
      '<function=f>\n<parameter=a>\n1.0\n</parameter>\n<parameter=o>\n{"x": ' +
        '[1]}\n</parameter>\n<parameter=s>\nt\n</parameter>\n</function>',
    );
  });
});

describe('thinking in history', () => {
  const messages: readonly TemplateMessage[] = [
    { role: 'user', content: 'q' },
    { role: 'assistant', content: '<think>\nhm\n</think>\n\na' },
    { role: 'user', content: 'r' },
  ];

  it.each([
    ['Qwen3', qwen3],
    ['Qwen3-Coder, whose template leaves it', coder],
    ['Qwen3-Thinking-2507', new ChatTemplate(THINKING_TEMPLATE, {})],
  ])('is left out for %s', (_, template) => {
    const prompt = template.render({ messages, addGenerationPrompt: false });
    expect(prompt).toBe(
      '<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n<|im_start|>user\nr<|im_end|>\n',
    );
  });
});

describe('a last message that is continued', () => {
  it('ends the prompt where its text ends, spaces included', () => {
    const messages = [
      { role: 'user', content: 'q' },
      { role: 'assistant', content: 'The answer is ' },
    ] as const;
    const prompt = coder.render({ messages, addGenerationPrompt: false, continueFinalMessage: true });
    expect(prompt).toBe('<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\nThe answer is ');
  });

  it('keeps thinking that was cut', () => {
    const messages = [{ role: 'assistant', content: '<think>\nhm' }] as const;
    const prompt = coder.render({ messages, addGenerationPrompt: false, continueFinalMessage: true });
    expect(prompt).toBe('<|im_start|>assistant\n<think>\nhm');
  });

  it('is refused where the template leaves its text out', () => {
    const template = new ChatTemplate('{% for m in messages %}{{ m.role }}{% endfor %}', {});
    const input = { messages: [{ role: 'assistant', content: 'x' }], addGenerationPrompt: false } as const;
    expect(() => template.render({ ...input, continueFinalMessage: true })).toThrow('cannot be continued');
  });
});

describe('traits of a template', () => {
  it('are read from its text', () => {
    expect(qwen3.traits).toEqual({
      takesTools: true,
      takesDocuments: false,
      callFormat: 'hermes',
      knowsThinking: true,
      switchesThinking: true,
      stripsThinking: true,
    });
    expect(coder.traits).toMatchObject({ callFormat: 'qwen3_coder_xml', takesTools: true, knowsThinking: false });
    expect(new ChatTemplate(THINKING_TEMPLATE, {}).traits).toMatchObject({
      takesTools: false,
      knowsThinking: true,
      switchesThinking: false,
    });
  });
});
