import { describe, expect, it } from 'vitest';
import { QWEN3_TOKENIZER_DIR, qwen3Vocabulary } from '@expertmesh/test-kit/qwen3-vocabulary';
import { loadTokenizer } from '../../text/tokenizer.js';
import { compileConstraint } from './compile-constraint.js';
import type { ConstrainedTool, Constraint } from './constraint.js';

const vocabulary = qwen3Vocabulary();
const tokenizer = await loadTokenizer(QWEN3_TOKENIZER_DIR);

type ToolCalls = Extract<Constraint, { readonly kind: 'tool_calls' }>;

const weather: ConstrainedTool = {
  name: 'get_weather',
  parameters: {
    type: 'object',
    properties: { city: { type: 'string' }, days: { type: 'integer', minimum: 1 }, unit: { enum: ['C', 'F', null] } },
    required: ['city'],
    additionalProperties: false,
  },
  strict: true,
};
const anything: ConstrainedTool = { name: 'anything', parameters: undefined, strict: false };
const lenient: ConstrainedTool = { name: 'lenient', parameters: { not: {} }, strict: false };

const tools = [weather, anything, lenient];
const hermes: ToolCalls = { kind: 'tool_calls', format: 'hermes', tools, mode: 'required', parallel: true };
const xml: ToolCalls = { ...hermes, format: 'qwen3_coder_xml' };

const call = (name: string, of: unknown): string =>
  `<tool_call>\n${JSON.stringify({ name, arguments: of })}\n</tool_call>`;
function xmlCall(name: string, of: Readonly<Record<string, string>>): string {
  const parameters = Object.entries(of).map(([key, value]) => `<parameter=${key}>\n${value}\n</parameter>\n`);
  return `<tool_call>\n<function=${name}>\n${parameters.join('')}</function>\n</tool_call>`;
}

const paris = call('get_weather', { city: 'Paris' });
const markup = call('get_weather', { city: 'a </tool_call> "b" <tool_call>', days: 2, unit: null });

describe('answers with tool calls', () => {
  it.each<readonly [string, ToolCalls, readonly string[], readonly string[]]>([
    [
      'are one call or more where calls are required',
      hermes,
      [paris, `\n\n${paris}`, `${paris}\n${markup}`, call('anything', { x: [1] }), call('lenient', { y: 'z' })],
      ['', 'Hello', `I call ${paris}`, call('other', {}), call('get_weather', {}), call('get_weather', { city: 1 })],
    ],
    [
      'are one call of the tool that is named',
      { ...hermes, mode: { named: 'get_weather' } },
      [paris, markup],
      [`${paris}\n${paris}`, call('anything', {}), 'text'],
    ],
    ['are one call where calls are not parallel', { ...hermes, parallel: false }, [paris], [`${paris}\n${paris}`]],
    [
      'are free text and calls where the model decides',
      { ...hermes, mode: 'auto' },
      ['', 'Hello <tool', 'I <b>call</b>: ' + paris, `${paris}\n${markup}`, '日本 {"a": }'],
      [`text <tool_call>`, `text ${call('other', {})}`, `${paris} and text`],
    ],
    [
      'are XML where the template has that',
      xml,
      [
        xmlCall('get_weather', { city: 'Paris', days: '3', unit: 'C' }),
        xmlCall('get_weather', { city: 'two\nlines </function> "quoted" \\n', unit: 'null' }),
        xmlCall('anything', { any: '{"a": 1}', other: '' }),
        `${xmlCall('anything', {})}\n${xmlCall('lenient', {})}`,
      ],
      [
        xmlCall('get_weather', {}),
        xmlCall('get_weather', { city: 'Paris', days: '0' }),
        xmlCall('get_weather', { city: 'Paris', days: 'many' }),
        xmlCall('get_weather', { city: 'Paris', unit: 'K' }),
        xmlCall('other', {}),
        paris,
      ],
    ],
  ])('%s', async (_name, constraint, taken, refused) => {
    for (const text of taken) expect(await isTaken(constraint, text), text).toBe(true);
    for (const text of refused) expect(await isTaken(constraint, text), text).toBe(false);
  });

  it('name the tool whose parameters cannot be enforced when it is strict', () => {
    const strict = { ...hermes, tools: [{ ...lenient, strict: true }] };
    expect(() => compileConstraint(strict, vocabulary)).toThrow(/tool "lenient": schema at #: keyword "not"/);
  });

  it('name a tool that is not there', () => {
    const named = { ...hermes, mode: { named: 'other' } };
    expect(() => compileConstraint(named, vocabulary)).toThrow(/tool "other" is none of the tools: "get_weather"/);
    expect(() => compileConstraint({ ...hermes, tools: [] }, vocabulary)).toThrow(/there are no tools/);
  });
});

async function isTaken(constraint: Constraint, text: string): Promise<boolean> {
  const state = compileConstraint(constraint, vocabulary).start();
  for (const token of await tokenizer.encode(text)) {
    if ((((state.mask()[token >> 5] ?? 0) >>> (token & 31)) & 1) === 0) return false;
    state.accept(token);
  }
  return state.isComplete;
}
