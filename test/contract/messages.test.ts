import Anthropic from '@anthropic-ai/sdk';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MODEL_ID, type ScriptedApi, startScriptedApi } from '@expertmesh/test-kit/http-api';

let api: ScriptedApi;
let anthropic: Anthropic;
beforeAll(async () => {
  api = await startScriptedApi();
  anthropic = new Anthropic({ baseURL: api.url, apiKey: 'none', maxRetries: 0 });
});
afterAll(() => api.close());

const question = {
  model: MODEL_ID,
  max_tokens: 100,
  messages: [{ role: 'user' as const, content: 'What is 47 + 85?' }],
};
const thinking = { type: 'enabled' as const, budget_tokens: 1024 };
const add = {
  name: 'add',
  description: 'Adds.',
  input_schema: { type: 'object' as const, properties: { a: { type: 'integer' } } },
  cache_control: { type: 'ephemeral' as const },
};
const CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>';

const lastPrompt = (): string => api.model.tokenizer.decode(api.engine.requests.at(-1)?.promptTokenIds ?? []);

describe('a message', () => {
  it('has thinking, text and usage in the form of the API', async () => {
    await api.answerWith('<think>\n47 + 85\n</think>\n\n132');
    const message = await anthropic.messages.create({ ...question, thinking });
    expect(message).toMatchObject({
      type: 'message',
      role: 'assistant',
      model: MODEL_ID,
      content: [
        { type: 'thinking', thinking: '47 + 85', signature: expect.any(String) as string },
        { type: 'text', text: '132' },
      ],
      stop_reason: 'end_turn',
      stop_sequence: null,
      usage: {
        input_tokens: api.engine.requests.at(-1)?.promptTokenIds.length,
        cache_read_input_tokens: 0,
        output_tokens: api.engine.script.tokenIds.length,
      },
    });
    expect(message._request_id).toEqual(expect.any(String));
    expect(api.engine.requests.at(-1)?.maxTokens).toBe(100);
  });

  it('does not think unless asked to', async () => {
    await api.answerWith('132');
    await anthropic.messages.create(question);
    expect(lastPrompt()).toMatch(/<think>\n\n<\/think>\n\n$/);
    await anthropic.messages.create({ ...question, thinking });
    expect(lastPrompt()).toMatch(/assistant\n$/);
  });

  it('hides thinking, which comes back in its signature, when asked to', async () => {
    await api.answerWith('<think>\nhm\n</think>\n\nok');
    const hidden = { ...thinking, display: 'omitted' as const };
    const message = await anthropic.messages.create({ ...question, thinking: hidden });
    expect(message.content).toMatchObject([
      { type: 'thinking', thinking: '' },
      { type: 'text', text: 'ok' },
    ]);
    const streamed = await anthropic.messages.stream({ ...question, thinking: hidden }).finalMessage();
    expect(streamed.content).toEqual(message.content);
  });

  it('takes a system prompt in blocks, and no header of the client for one', async () => {
    await api.answerWith('ok');
    const cache_control = { type: 'ephemeral' as const };
    await anthropic.messages.create({
      ...question,
      system: [
        { type: 'text', text: 'x-anthropic-billing-header: cc_version=1; cch=0a1b2;' },
        { type: 'text', text: 'Be brief.', cache_control },
        { type: 'text', text: 'Be kind.' },
      ],
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi', cache_control }] }],
      metadata: { user_id: 'u' },
    });
    expect(lastPrompt()).toContain(
      '<|im_start|>system\nBe brief.\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it('says why it ended', async () => {
    await api.answerWith('one two');
    const stopped = await anthropic.messages.create({ ...question, stop_sequences: [' two'] });
    expect(stopped).toMatchObject({ content: [{ text: 'one' }], stop_reason: 'stop_sequence', stop_sequence: ' two' });
    api.engine.script = { tokenIds: await api.model.tokenizer.encode('one'), end: 'length' };
    expect(await anthropic.messages.create(question)).toMatchObject({ stop_reason: 'max_tokens' });
    const long = await anthropic.messages.create({ ...question, max_tokens: 9999 });
    expect(long).toMatchObject({ stop_reason: 'model_context_window_exceeded' });
    const { promptTokenIds = [], maxTokens } = api.engine.requests.at(-1) ?? {};
    expect(promptTokenIds.length + (maxTokens ?? 0)).toBe(api.engine.limits.maxModelLen);
  });

  it('goes on with an answer that has begun', async () => {
    await api.answerWith('32');
    await anthropic.messages.create({
      ...question,
      messages: [...question.messages, { role: 'assistant', content: 'It is 1' }],
    });
    expect(lastPrompt()).toMatch(/<\|im_start\|>assistant\n(<think>\n\n<\/think>\n\n)?It is 1$/);
  });
});

describe('tools', () => {
  it('are called, and their results come back', async () => {
    await api.answerWith(`Adding.\n${CALL}\n${CALL}`);
    const message = await anthropic.messages.create({ ...question, tools: [add] });
    expect(message).toMatchObject({
      content: [
        { type: 'text', text: 'Adding.' },
        { type: 'tool_use', name: 'add', input: { a: 1 } },
        { type: 'tool_use', name: 'add', input: { a: 1 } },
      ],
      stop_reason: 'tool_use',
    });
    expect(lastPrompt()).toContain(
      '{"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"',
    );
    await api.answerWith('2');
    const calls = message.content.filter((block) => block.type === 'tool_use');
    await anthropic.messages.create({
      ...question,
      tools: [add],
      messages: [
        ...question.messages,
        { role: 'assistant', content: message.content },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: calls[0]?.id ?? '', content: [{ type: 'text', text: '2' }] },
            { type: 'tool_result', tool_use_id: calls[1]?.id ?? '', content: 'no', is_error: true },
            { type: 'text', text: 'And now?' },
          ],
        },
      ],
    });
    expect(lastPrompt()).toContain('assistant\nAdding.<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n');
    expect(lastPrompt()).toMatch(
      /<tool_response>\n2\n<\/tool_response>.*<tool_response>\nError: no\n<\/tool_response>.*user\nAnd now\?/s,
    );
  });

  it('are called one at a time, or not at all, when the request says so', async () => {
    await api.answerWith(`${CALL}\n${CALL}`);
    const one = await anthropic.messages.create({
      ...question,
      tools: [add],
      tool_choice: { type: 'auto', disable_parallel_tool_use: true },
    });
    expect(one.content).toHaveLength(1);
    const none = await anthropic.messages.create({ ...question, tools: [add], tool_choice: { type: 'none' } });
    expect(none.stop_reason).toBe('end_turn');
    expect(lastPrompt()).not.toContain('<tools>');
  });
});

describe('a streamed message', () => {
  it('has the complete sequence of events', async () => {
    await api.answerWith(`<think>\nhm 🦜\n</think>\n\nAdding.\n${CALL}`);
    const stream = await anthropic.messages.create({ ...question, thinking, tools: [add], stream: true });
    const events: Anthropic.RawMessageStreamEvent[] = [];
    for await (const event of stream) events.push(event);
    const names = events.map((event) => (event.type === 'content_block_delta' ? event.delta.type : event.type));
    expect(names.filter((name, index) => name !== names[index - 1])).toEqual([
      'message_start',
      'content_block_start',
      'thinking_delta',
      'signature_delta',
      'content_block_stop',
      'content_block_start',
      'text_delta',
      'content_block_stop',
      'content_block_start',
      'input_json_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    expect(events.at(-2)).toMatchObject({ delta: { stop_reason: 'tool_use' } });
  });

  it('says the same as one that comes at once, to the helper of the client', async () => {
    await api.answerWith(`<think>\nhm\n</think>\n\nAdding.\n${CALL}`);
    const request = { ...question, thinking, tools: [add] };
    const streamed = await anthropic.messages.stream(request).finalMessage();
    const whole = await anthropic.messages.create(request);
    const withoutIds = (blocks: readonly object[]) => blocks.map((block) => ({ ...block, id: undefined }));
    expect(withoutIds(streamed.content)).toEqual(withoutIds(whole.content));
    expect(streamed.usage).toMatchObject({ output_tokens: whole.usage.output_tokens });
  });

  it('ends with an error event when it fails half-way', async () => {
    const end = new ExpertmeshError('unavailable', 'worker w1 is away');
    api.engine.script = { tokenIds: await api.model.tokenizer.encode('one two'), end };
    const body = await (await api.post('/v1/messages', { ...question, stream: true })).text();
    expect(body).toContain('event: ping\ndata: {"type":"ping"}\n\n');
    expect(body.trimEnd().split('\n\n').at(-1)).toBe(
      'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"worker w1 is away"}}',
    );
    await expect(anthropic.messages.stream(question).finalMessage()).rejects.toThrow('worker w1 is away');
  });
});

describe('count_tokens', () => {
  it('counts what the prompt of the same message has', async () => {
    await api.answerWith('ok');
    const { messages, model } = question;
    const prompt = { model, messages, system: 'Be brief.', tools: [add], thinking };
    const { input_tokens: numTokens } = await anthropic.messages.countTokens(prompt);
    const message = await anthropic.messages.create({ ...prompt, max_tokens: 5 });
    expect(numTokens).toBe(message.usage.input_tokens);
  });
});

describe('what is refused', () => {
  it.each([
    ['messages[0].content[0]', { messages: [{ role: 'user', content: [{ type: 'image' }] }] }, 'type image'],
    ['tools[0]', { tools: [{ type: 'web_search_20250305', name: 'web_search' }] }, 'web_search_20250305'],
    ['max_tokens', { max_tokens: undefined }, 'is required'],
    ['max_tokens', { max_tokens: 0 }, 'at least 1'],
    ['messages', { messages: [{ role: 'user', content: 'a '.repeat(3000) }] }, 'maximum context length'],
    ['temperature', { temperature: 3 }, 'at most 2'],
    ['stop_sequences', { stop_sequences: [''] }, '1 to'],
    ['container', { container: 'c' }, 'not supported'],
    ['thinking', { thinking: { type: 'between_tools' } }, 'between_tools'],
    ['max_token', { max_token: 5 }, 'Unknown field'],
    [
      'messages[1]',
      {
        messages: [
          { role: 'user', content: 'Hi' },
          { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'add', input: {} }] },
        ],
      },
      'tool_result',
    ],
  ])('names %s', async (field, fields, words) => {
    await api.answerWith('hi');
    const response = await api.post('/v1/messages', { ...question, ...fields });
    expect(response.status).toBe(400);
    const body = (await response.json()) as { error: { message: string } };
    expect(body).toMatchObject({ type: 'error', error: { type: 'invalid_request_error' } });
    expect(body.error.message).toContain(field);
    expect(body.error.message).toContain(words);
  });

  it.each([
    ['another model', { ...question, model: 'claude-x' }, 404, 'not_found_error'],
    ['no JSON', '{', 400, 'invalid_request_error'],
    ['too large a body', { ...question, system: 'a'.repeat(2_000_000) }, 413, 'request_too_large'],
  ])('is %s, in the form of every error', async (_, body, status, type) => {
    const response = await api.post('/v1/messages', body);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({
      type: 'error',
      error: { type },
      request_id: expect.any(String) as string,
    });
  });

  it('is a request too many', async () => {
    api.engine.script = { tokenIds: [], end: new ExpertmeshError('resource_exhausted', '1024 sequences wait already') };
    const thrown: unknown = await anthropic.messages.create(question).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(Anthropic.InternalServerError);
    expect(thrown).toMatchObject({ status: 503, error: { error: { type: 'overloaded_error' } } });
  });
});
