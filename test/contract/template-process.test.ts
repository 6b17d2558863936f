import { afterAll, describe, expect, it } from 'vitest';
import { ServedTemplate } from '@expertmesh/coordinator/text/template-process/served-template';
import { TemplateProcess } from '@expertmesh/coordinator/text/template-process/template-process';
import { CODER_TEMPLATE, qwen3Template } from '@expertmesh/test-kit/chat-templates';
import { ChatTemplate, type TemplateInput } from '@expertmesh/coordinator/text/chat-template';

const templates = new TemplateProcess();
afterAll(() => {
  templates.close();
});

/** What a template of the store must not do with a second message, which it does not show at the start. */
const onlyLater = (bomb: string): string => `{{ messages[0].content }}{% if messages | length > 1 %}${bomb}{% endif %}`;

const open = (text: string): Promise<ServedTemplate> =>
  ServedTemplate.open({ text, specialTokens: {}, path: 'store/chat_template.jinja' }, templates);

const question: TemplateInput = { messages: [{ role: 'user', content: 'q é 漢 \ud800' }], addGenerationPrompt: true };
const longer: TemplateInput = { ...question, messages: [...question.messages, ...question.messages] };

const DOUBLED =
  "{% set ns = namespace(s='x ', a=[]) %}{% for i in range(27) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}";

/** Whichever comes first: the memory is used up, or the time that collecting garbage takes. */
const UNBOUNDED_MEMORY = /384 MiB of memory|Invalid array length|after \d+ s/;

const BOMBS = [
  ['loops', '{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}', /after \d+ s/],
  [
    'prints what is exponentially large',
    '{% set ns = namespace(a=1) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a | tojson }}',
    /after \d+ s/,
  ],
  ['makes a range that no memory holds', '{% for i in range(1000000000) %}{% endfor %}', UNBOUNDED_MEMORY],
  [
    'makes an array that no memory holds',
    '{% set ns = namespace(a=[1]) %}{% for i in range(40) %}{% set ns.a = ns.a + ns.a %}{% endfor %}',
    UNBOUNDED_MEMORY,
  ],
  ['splits a text that is half the memory', `${DOUBLED}{{ ns.s.split(' ') | length }}`, UNBOUNDED_MEMORY],
  ['makes too long a prompt', `${DOUBLED}{{ ns.s }}`, /268435\d+ characters .* at most 67108864/],
  ['calls itself without end', '{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}', /refuses these messages/],
] as const;

describe('the process of templates', () => {
  it.each([
    ["Qwen3's", qwen3Template()],
    ["Qwen3-Coder's", CODER_TEMPLATE],
  ])('renders as this one would: %s', async (_, text) => {
    const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object', __proto__: null } } }];
    const calls = [
      { type: 'function', function: { name: 'f', arguments: '{"x":1.0,"2":12345678901234567890}' } },
    ] as const;
    const input: TemplateInput = {
      messages: [...question.messages, { role: 'assistant', content: '', tool_calls: calls }],
      tools,
      addGenerationPrompt: true,
      documents: undefined,
    };
    expect(await (await open(text)).render(input)).toBe(new ChatTemplate(text, {}).render(input));
  });

  it.each(BOMBS)('refuses what %s, and renders the next', async (_, bomb, message) => {
    const template = await open(onlyLater(bomb));
    const [refused, next] = await Promise.allSettled([template.render(longer), template.render(question)]);
    expect(refused).toMatchObject({
      status: 'rejected',
      reason: { code: 'invalid_argument', param: 'messages', message: expect.stringMatching(message) as string },
    });
    expect(next).toMatchObject({ status: 'fulfilled', value: question.messages[0]?.content });
  });

  it('refuses a template that cannot render a question, by its file', async () => {
    const refused = open("{{ raise_exception('only documents') }}");
    await expect(refused).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(/^store\/chat_template.jinja: .*only documents/) as string,
    });
    await expect(open('{% for %}')).rejects.toThrow(/^store\/chat_template.jinja: .*cannot be parsed/);
    await expect(open(' '.repeat(2 ** 20 + 1))).rejects.toThrow(/1048577 characters, at most 1048576/);
  });

  it('refuses what would wait behind too much', async () => {
    const template = await open('{{ messages[0].content | length }}');
    const long = { ...question, messages: [{ role: 'user', content: 'x'.repeat(20 * 2 ** 20) }] } as const;
    const [first, second] = await Promise.allSettled([template.render(long), template.render(long)]);
    expect(first).toMatchObject({ status: 'fulfilled', value: String(20 * 2 ** 20) });
    expect(second).toMatchObject({ reason: { code: 'resource_exhausted' } });
  });

  it('takes nothing any more once it is closed', async () => {
    const own = new TemplateProcess();
    const template = await ServedTemplate.open({ text: 't', specialTokens: {}, path: '' }, own);
    const pending = template.render(question);
    own.close();
    await expect(pending).rejects.toMatchObject({ code: 'unavailable' });
    await expect(template.render(question)).rejects.toMatchObject({ code: 'unavailable' });
  });
});
