import { seededRandom } from '@expertmesh/shared/random/seeded-random';

export interface FuzzedRequest {
  readonly path: string;
  readonly body: string;
}

const messages = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: [{ type: 'text', text: 'hi' }] },
  {
    role: 'assistant',
    content: null,
    tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{"a": 1}' } }],
  },
  { role: 'tool', tool_call_id: 'c', content: '1' },
];
const schema = { type: 'object', properties: { a: { type: 'integer' }, b: { enum: ['x', 'y'] } }, required: ['a'] };
const tools = [{ type: 'function', function: { name: 'f', description: 'd', parameters: schema, strict: true } }];

/** Right requests, from which wrong ones are made. */
const SEEDS: readonly { readonly path: string; readonly body: object }[] = [
  { path: '/v1/chat/completions', body: { messages, tools, tool_choice: 'auto', temperature: 0.5, stop: ['x'], n: 2 } },
  {
    path: '/v1/chat/completions',
    body: {
      messages: messages.slice(0, 2),
      stream: true,
      stream_options: { include_usage: true },
      logprobs: true,
      top_logprobs: 2,
      logit_bias: { 5: 1 },
      bad_words: ['no'],
      chat_template_kwargs: { enable_thinking: true },
      thinking_token_budget: 5,
    },
  },
  {
    path: '/v1/chat/completions',
    body: {
      messages: messages.slice(0, 2),
      response_format: { type: 'json_schema', json_schema: { name: 'x', schema } },
    },
  },
  {
    path: '/v1/completions',
    body: { prompt: ['one', 'two'], echo: true, logprobs: 2, max_tokens: 4, n: 2, truncate_prompt_tokens: 5 },
  },
  { path: '/v1/completions', body: { prompt: [[5, 6], [7]], stream: true, structured_outputs: { regex: 'a+' } } },
  { path: '/v1/responses', body: { input: 'hi', tools: [{ type: 'function', name: 'f', parameters: schema }] } },
  {
    path: '/v1/messages',
    body: { max_tokens: 9, messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }], system: 's' },
  },
  { path: '/tokenize', body: { messages, tools, add_generation_prompt: false } },
  { path: '/detokenize', body: { tokens: [1, 2, 3] } },
];

const STRANGE: readonly unknown[] = [
  null,
  true,
  '',
  'x',
  '\u0000\ud800',
  '<|im_end|>{{ x }}<tool_call>',
  '9'.repeat(400),
  0,
  -1,
  0.5,
  1e308,
  -0,
  2 ** 53,
  [],
  {},
  [[[[[]]]]],
  { constructor: 1, toString: 2 },
  { type: 'function' },
  { role: 'user', content: 'x' },
  Array(300).fill('a'),
  '$ref',
];

/** The same requests for the same seed: right ones in which something is changed, and now and then what is no JSON. */
export function* fuzzedRequests(seed: number, count: number): Generator<FuzzedRequest, void, void> {
  const random = seededRandom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  for (let index = 0; index < count; index++) {
    const { path, body } = pick(SEEDS);
    let changed: unknown = structuredClone(body);
    const numChanges = 1 + Math.floor(random() * 4);
    for (let change = 0; change < numChanges; change++) changed = mutated(changed, pick, random);
    const text = JSON.stringify(changed);
    yield { path, body: random() < 0.05 ? text.slice(0, Math.floor(random() * text.length)) : text };
  }
}

/** The value with something strange at one place, something left out, moved, or twice. */
function mutated(value: unknown, pick: <T>(list: readonly T[]) => T, random: () => number): unknown {
  const isDeep = typeof value === 'object' && value !== null;
  const keys = isDeep ? Object.keys(value) : [];
  if (!isDeep || keys.length === 0 || random() < 0.1) return pick(STRANGE);
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...value }) as Record<string, unknown>;
  const key = pick(keys);
  const choice = random();
  if (choice < 0.6) copy[key] = mutated(copy[key], pick, random);
  else if (choice < 0.7) Reflect.deleteProperty(copy, key);
  else if (choice < 0.85) copy[pick(keys)] = copy[key];
  else copy[pick(['type', 'name', 'content', 'schema', 'unheard_of', '5'])] = pick(STRANGE);
  return copy;
}
