import { MODEL_ID, type ScriptedApi, startScriptedApi } from '@expertmesh/test-kit/http-api';
import type OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

let api: ScriptedApi;
beforeAll(async () => {
  api = await startScriptedApi();
});
beforeEach(() => api.answerWith('one two'));
afterAll(() => api.close());

const question = { model: MODEL_ID, messages: [{ role: 'user' as const, content: 'hi' }] };
const tool = {
  type: 'function' as const,
  function: { name: 'add', parameters: { type: 'object', properties: { a: { type: 'integer' } } } },
};
const CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>';

function lastRequest() {
  const request = api.engine.requests.at(-1);
  if (request === undefined) throw new Error('the engine was not asked');
  return request;
}
const lastPrompt = () => api.model.tokenizer.decode(lastRequest().promptTokenIds);

/** Fields of vLLM's that the client's types do not know are sent, too. */
const create = (fields: object) =>
  api.openai.chat.completions.create({ ...question, ...fields } as OpenAI.ChatCompletionCreateParamsNonStreaming);

async function chunksOf(fields: object): Promise<OpenAI.ChatCompletionChunk[]> {
  const body = { ...question, ...fields, stream: true } as OpenAI.ChatCompletionCreateParamsStreaming;
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  for await (const chunk of await api.openai.chat.completions.create(body)) chunks.push(chunk);
  return chunks;
}

describe('fields reach the engine', () => {
  it.each<[object, object]>([
    [
      { logit_bias: { 5: -100, 7: 2 } },
      {
        controls: {
          logitBias: new Map([
            [5, -100],
            [7, 2],
          ]),
        },
      },
    ],
    [{ min_tokens: 2 }, { controls: { minTokens: 2 } }],
    [{ allowed_token_ids: [4, 5] }, { controls: { allowedTokenIds: [4, 5] } }],
    [{ n: 3 }, { numAnswers: 3 }],
    [
      { priority: -2, cache_salt: 'x' },
      { priority: -2, cacheSalt: 'x' },
    ],
    [{ logprobs: true, top_logprobs: 4 }, { logprobs: { answer: 4 } }],
    [{ logprobs: true }, { logprobs: { answer: 0 } }],
    [{ prompt_logprobs: 2 }, { logprobs: { prompt: 2 } }],
    [{ response_format: { type: 'json_object' } }, { constraint: { kind: 'json_object' } }],
    [
      {
        response_format: { type: 'json_schema', json_schema: { name: 'x', strict: true, schema: { type: 'object' } } },
      },
      { constraint: { kind: 'json_schema', schema: { type: 'object' } } },
    ],
    [{ structured_outputs: { regex: 'a+' } }, { constraint: { kind: 'regex', pattern: 'a+' } }],
    [
      { structured_outputs: { json_object: true, disable_any_whitespace: true } },
      { constraint: { kind: 'json_object', whitespace: 'compact' } },
    ],
    [{ structured_outputs: { choice: ['a', 'b'] } }, { constraint: { kind: 'choice', choices: ['a', 'b'] } }],
    [{ guided_json: '{"type":"string"}' }, { constraint: { kind: 'json_schema', schema: { type: 'string' } } }],
    [{ guided_grammar: 'root ::= "a"' }, { constraint: { kind: 'grammar', source: 'root ::= "a"' } }],
    [{ guided_choice: ['x'] }, { constraint: { kind: 'choice', choices: ['x'] } }],
    [{ truncate_prompt_tokens: 3 }, { promptTokenIds: { length: 3 } }],
  ])('%j', async (fields, expected) => {
    await create(fields);
    expect(lastRequest()).toMatchObject(expected);
  });

  it('and words that are forbidden, in their tokens', async () => {
    await create({ bad_words: ['two'] });
    expect(lastRequest().controls?.badWords).toContainEqual(await api.model.tokenizer.encode('two'));
  });

  it.each(['required', { type: 'function', function: { name: 'add' } }])(
    'and calls that are asked for: %j',
    async (toolChoice) => {
      await api.answerWith(CALL);
      const { choices } = await create({ tools: [tool], tool_choice: toolChoice });
      expect(lastRequest().constraint).toMatchObject({ kind: 'tool_calls' });
      expect(choices[0]?.message.tool_calls).toHaveLength(1);
    },
  );

  it('and strict functions', async () => {
    await api.answerWith(CALL);
    await create({ tools: [{ ...tool, function: { ...tool.function, strict: true } }] });
    expect(lastRequest().constraint).toMatchObject({ kind: 'tool_calls', tools: [{ name: 'add', strict: true }] });
    expect(lastPrompt()).not.toContain('strict');
  });
});

describe('what is known of tokens', () => {
  it('is in logprobs, with bytes and alternatives', async () => {
    const { choices } = await create({ logprobs: true, top_logprobs: 2 });
    const [token] = choices[0]?.logprobs?.content ?? [];
    const [tokenId = 0] = await api.model.tokenizer.encode('one');
    expect(token).toMatchObject({
      token: api.model.tokenizer.decode([tokenId]),
      logprob: -0.5,
      bytes: [...api.model.tokenizer.bytesOf(tokenId)],
      top_logprobs: [{ logprob: -0.5 }, { token: api.model.tokenizer.decode([tokenId + 1]), logprob: -1.5 }],
    });
    expect(choices[0]?.logprobs?.content).toHaveLength(api.engine.script.tokenIds.length);
  });

  it('is in the chunks of a stream, once', async () => {
    const chunks = await chunksOf({ logprobs: true, return_token_ids: true });
    const told = chunks.flatMap(({ choices }) => choices[0]?.logprobs?.content ?? []);
    expect(told).toHaveLength(api.engine.script.tokenIds.length);
    const ids = chunks.flatMap(({ choices }) => (choices[0] as { token_ids?: number[] } | undefined)?.token_ids ?? []);
    expect(ids).toEqual(api.engine.script.tokenIds);
    expect(chunks[0]).toMatchObject({ prompt_token_ids: lastRequest().promptTokenIds });
  });

  it('names tokens by their ids where that is asked for', async () => {
    const { choices } = await create({ logprobs: true, return_tokens_as_token_ids: true });
    expect(choices[0]?.logprobs?.content?.[0]?.token).toBe(`token_id:${String(api.engine.script.tokenIds[0])}`);
  });

  it('has the prompt, too', async () => {
    const answer = await create({ prompt_logprobs: 1, return_token_ids: true });
    const { promptTokenIds } = lastRequest();
    const { prompt_logprobs: ofPrompt, prompt_token_ids: ids } = answer as unknown as {
      prompt_logprobs: unknown[];
      prompt_token_ids: number[];
    };
    expect(ids).toEqual(promptTokenIds);
    expect(ofPrompt).toHaveLength(promptTokenIds.length);
    expect(ofPrompt[0]).toBeNull();
    expect(ofPrompt[1]).toEqual({
      [String(promptTokenIds[1])]: {
        logprob: -0.5,
        rank: 1,
        decoded_token: api.model.tokenizer.decode(promptTokenIds.slice(1, 2)),
      },
    });
  });

  it('counts those that were there already', async () => {
    api.engine.script = { ...api.engine.script, numCachedTokens: 3 };
    const { usage } = await create({});
    expect(usage?.prompt_tokens_details?.cached_tokens).toBe(3);
  });
});

describe('several answers', () => {
  it('are choices, in their order', async () => {
    const { choices, usage } = await create({ n: 3 });
    expect(choices.map(({ index, message }) => [index, message.content])).toEqual([
      [0, 'one two'],
      [1, 'one two'],
      [2, 'one two'],
    ]);
    expect(usage?.completion_tokens).toBe(3 * api.engine.script.tokenIds.length);
    expect(usage?.prompt_tokens).toBe(lastRequest().promptTokenIds.length);
  });

  it('have a role, a text and an end each in a stream', async () => {
    const chunks = await chunksOf({ n: 2 });
    for (const index of [0, 1]) {
      const own = chunks.flatMap(({ choices }) => choices).filter((choice) => choice.index === index);
      expect(own[0]?.delta.role).toBe('assistant');
      expect(own.map(({ delta }) => delta.content ?? '').join('')).toBe('one two');
      expect(own.filter(({ finish_reason: reason }) => reason === 'stop')).toHaveLength(1);
    }
  });

  it('are the best of more', async () => {
    const { choices } = await create({ n: 1, best_of: 3 });
    expect(choices).toHaveLength(1);
    expect(lastRequest().numAnswers).toBe(3);
  });
});

describe('how an answer begins and ends', () => {
  const history = [...question.messages, { role: 'assistant', content: 'It is' }];

  it('goes on with the last message, and gives that back when asked', async () => {
    await api.answerWith(' done');
    const { choices } = await create({ messages: history, continue_final_message: true, add_generation_prompt: false });
    expect(lastPrompt().endsWith('<|im_start|>assistant\nIt is')).toBe(true);
    expect(choices[0]?.message.content).toBe(' done');
    const echoed = await create({ messages: history, continue_final_message: true, echo: true });
    expect(echoed.choices[0]?.message.content).toBe('It is done');
  });

  it('says at which stop it ended', async () => {
    const { choices } = await create({ stop: ['two'] });
    expect(choices[0]).toMatchObject({ finish_reason: 'stop', stop_reason: 'two' });
  });

  it('hides thinking when asked', async () => {
    await api.answerWith('<think>\nhm\n</think>\n\nyes');
    const { choices, usage } = await create({ include_reasoning: false });
    expect(choices[0]?.message).toMatchObject({ content: 'yes', reasoning: null });
    expect(usage?.completion_tokens_details?.reasoning_tokens).toBeGreaterThan(0);
    await api.answerWith('<think>\nhm\n</think>\n\nyes');
    expect(JSON.stringify(await chunksOf({ include_reasoning: false }))).not.toContain('hm');
  });

  it("has the request's own id", async () => {
    expect((await create({ request_id: 'job-1' })).id).toBe('chatcmpl-job-1');
  });
});

describe('history as clients send it back', () => {
  const call = { id: 'c1', type: 'function', function: { name: 'add', arguments: '{"a":1}' } };
  const assistant = { role: 'assistant', content: null, tool_calls: [call] };
  const result = { role: 'tool', tool_call_id: 'c1', content: '1' };

  it.each<[string, object]>([
    ['provider_specific_fields', { ...assistant, provider_specific_fields: { a: 1 } }],
    ['parsed', { ...assistant, parsed: null, refusal: null, audio: null, annotations: [{}], function_call: null }],
    [
      'parsed_arguments',
      { ...assistant, tool_calls: [{ ...call, function: { ...call.function, parsed_arguments: {} } }] },
    ],
    ['index and extra', { ...assistant, tool_calls: [{ ...call, index: 0, extra_content: { google: {} } }] }],
    ['type left out', { ...assistant, tool_calls: [{ id: 'c1', function: call.function }] }],
    [
      'arguments as an object',
      { ...assistant, tool_calls: [{ ...call, function: { name: 'add', arguments: { a: 1 } } }] },
    ],
    ['reasoning of others', { ...assistant, thinking_blocks: [], reasoning_details: [], reasoning: 'x' }],
    ['parts', { ...assistant, content: [{ type: 'text', text: 'x', cache_control: { type: 'ephemeral' } }] }],
    ['refusal parts', { ...assistant, content: [{ type: 'refusal', refusal: 'no' }] }],
  ])('is taken: %s', async (_name, message) => {
    await create({ messages: [...question.messages, message, result], tools: [tool] });
    expect(lastPrompt()).toContain('{"name": "add", "arguments": {"a": 1}}');
  });

  it.each(['', undefined, null, '{}'])('a call without arguments has an empty object: %j', async (args) => {
    const bare = { ...assistant, tool_calls: [{ ...call, function: { name: 'now', arguments: args } }] };
    await create({ messages: [...question.messages, bare, result] });
    expect(lastPrompt()).toContain('{"name": "now", "arguments": {}}');
  });

  it('shows the model nothing of what was ignored', async () => {
    const cached = { ...tool, cache_control: { type: 'ephemeral' }, function: { ...tool.function, extra: 1 } };
    const messages = [
      { role: 'user', content: [{ type: 'text', text: 'hi', cache_control: { type: 'ephemeral' } }], tenant: 1 },
    ];
    await create({ messages, tools: [cached] });
    expect(lastPrompt()).not.toMatch(/cache_control|ephemeral|extra|tenant/);
  });
});

describe('streamed calls', () => {
  it('begin with id and name, and then have their arguments', async () => {
    await api.answerWith(CALL);
    const chunks = await chunksOf({ tools: [tool] });
    const deltas = chunks.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? []);
    expect(deltas[0]).toMatchObject({
      index: 0,
      id: expect.stringMatching(/^call_/) as string,
      type: 'function',
      function: { name: 'add', arguments: '' },
    });
    expect(deltas.slice(1).every(({ id }) => id === undefined)).toBe(true);
    expect(deltas.map((delta) => delta.function?.arguments ?? '').join('')).toBe('{"a": 1}');
    expect(deltas.length).toBeGreaterThan(2);
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('tool_calls');
  });
});
