import { request } from 'node:http';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MODEL_ID, type ScriptedApi, startScriptedApi } from '@expertmesh/test-kit/http-api';

let api: ScriptedApi;
beforeAll(async () => {
  api = await startScriptedApi();
  await api.answerWith('ok');
});
afterAll(() => api.close());

interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

const messages = [{ role: 'user', content: 'hi' }];

async function refusalOf(path: string, body: unknown): Promise<ErrorBody['error'] & { status: number }> {
  const response = await api.post(path, body);
  const { error } = (await response.json()) as ErrorBody;
  return { status: response.status, ...error };
}

describe('a chat request is refused, by name,', () => {
  it.each<[object, Partial<ErrorBody['error']>]>([
    [
      { messages, temprature: 1 },
      { code: 'unknown_parameter', param: 'temprature' },
    ],
    [{ messages: [{ role: 'user', content: 'x', foo: 1 }] }, { code: 'unknown_parameter', param: 'messages[0].foo' }],
    [
      { messages, stream_options: { x: 1 } },
      { code: 'unknown_parameter', param: 'stream_options.x' },
    ],
    [
      { messages, n: 2 },
      { code: 'unsupported_parameter', param: 'n', message: 'n is not supported: leave it out or set it to 1' },
    ],
    [
      { messages, logprobs: true },
      { code: 'unsupported_parameter', param: 'logprobs' },
    ],
    [
      { messages, logit_bias: { 5: 1 } },
      { code: 'unsupported_parameter', param: 'logit_bias' },
    ],
    [
      { messages, response_format: { type: 'json_object' } },
      { code: 'unsupported_parameter', param: 'response_format' },
    ],
    [
      { messages, tool_choice: 'required' },
      {
        code: 'unsupported_parameter',
        param: 'tool_choice',
        message: 'tool_choice is not supported: leave it out or set it to "auto" or "none"',
      },
    ],
    [
      { messages, guided_json: {} },
      { code: 'unsupported_parameter', param: 'guided_json' },
    ],
    [
      { messages, temperature: 2.5 },
      { code: 'invalid_value', param: 'temperature' },
    ],
    [
      { messages, temperature: '1' },
      { code: 'invalid_value', param: 'temperature' },
    ],
    [
      { messages, top_p: 0 },
      { code: 'invalid_value', param: 'top_p', message: 'top_p must be a number above 0 and at most 1; it is 0' },
    ],
    [
      { messages, top_k: 1.5 },
      { code: 'invalid_value', param: 'top_k' },
    ],
    [
      { messages, min_p: -0.1 },
      { code: 'invalid_value', param: 'min_p' },
    ],
    [
      { messages, presence_penalty: -3 },
      { code: 'invalid_value', param: 'presence_penalty' },
    ],
    [
      { messages, repetition_penalty: 0 },
      { code: 'invalid_value', param: 'repetition_penalty' },
    ],
    [
      { messages, seed: 0.5 },
      { code: 'invalid_value', param: 'seed' },
    ],
    [
      { messages, max_tokens: 0 },
      { code: 'invalid_value', param: 'max_tokens' },
    ],
    [
      { messages, stop: Array(17).fill('x') },
      { code: 'invalid_value', param: 'stop' },
    ],
    [
      { messages, stop: [''] },
      { code: 'invalid_value', param: 'stop' },
    ],
    [
      { messages, stop_token_ids: [2048] },
      { code: 'invalid_value', param: 'stop_token_ids' },
    ],
    [
      { messages, max_completion_tokens: 0 },
      { code: 'invalid_value', param: 'max_completion_tokens' },
    ],
    [
      { messages, stream_options: { include_usage: true } },
      { code: 'invalid_value', param: 'stream_options' },
    ],
    [{ messages: [] }, { code: 'invalid_value', param: 'messages', message: 'messages must not be empty' }],
    [{}, { code: 'invalid_value', param: 'messages', message: 'messages is required' }],
    [{ messages: 'hi' }, { param: 'messages', message: 'messages must be a list, is a string' }],
    [{ messages: [{ role: 'king', content: 'x' }] }, { code: 'invalid_value', param: 'messages[0].role' }],
    [{ messages: [{ role: 'user' }] }, { code: 'invalid_value', param: 'messages[0].content' }],
    [{ messages: [{ role: 'user', content: null }] }, { code: 'invalid_value', param: 'messages[0].content' }],
    [
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] },
      { code: 'unsupported_parameter', param: 'messages[0].content' },
    ],
    [
      { messages, tools: [{ type: 'function' }] },
      { code: 'invalid_value', param: 'tools[0].function' },
    ],
    [
      { messages, tools: [{ type: 'function', function: { name: 'f', strict: true } }] },
      { code: 'unsupported_parameter', param: 'tools[0].function.strict' },
    ],
    [
      { messages, reasoning_effort: 'huge' },
      { code: 'invalid_value', param: 'reasoning_effort' },
    ],
  ])('%j', async (fields, expected) => {
    const refusal = await refusalOf('/v1/chat/completions', { model: MODEL_ID, ...fields });
    expect(refusal).toMatchObject({ status: 400, type: 'invalid_request_error', ...expected });
    expect(refusal.message).toContain(expected.param);
  });

  it('when it asks for more tokens than fit, with the numbers', async () => {
    const refusal = await refusalOf('/v1/chat/completions', { messages, max_tokens: 2048 });
    expect(refusal).toMatchObject({ status: 400, code: 'context_length_exceeded', param: 'max_tokens' });
    expect(refusal.message).toMatch(/2048 tokens; the prompt has \d+ and max_tokens asks for 2048 more/);
  });

  it('when its prompt is longer than the model', async () => {
    const content = '1 '.repeat(1500);
    const refusal = await refusalOf('/v1/chat/completions', { messages: [{ role: 'user', content }] });
    expect(refusal).toMatchObject({ status: 400, code: 'context_length_exceeded', param: 'messages' });
  });

  it('when it names another model', async () => {
    const error: unknown = await api.openai.chat.completions
      .create({ model: 'gpt-4o', messages: [{ role: 'user', content: 'hi' }] })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenAI.NotFoundError);
    expect(error).toMatchObject({ code: 'model_not_found', param: 'model', type: 'invalid_request_error' });
  });
});

describe('fields that change nothing', () => {
  it.each([
    { n: 1, logprobs: false, top_logprobs: 0, logit_bias: {}, response_format: { type: 'text' }, tool_choice: 'auto' },
    { n: null, temperature: null, stop: null, tools: null, stream: null, max_tokens: null, chat_template_kwargs: null },
    { user: 'u1', metadata: { a: 'b' }, parallel_tool_calls: true, store: false, service_tier: 'auto' },
    { stop: [], stop_token_ids: [], frequency_penalty: 0, presence_penalty: 0 },
  ])('are accepted: %j', async (fields) => {
    expect((await api.post('/v1/chat/completions', { messages, ...fields })).status).toBe(200);
  });
});

describe('what is no request', () => {
  it('is refused when it is not JSON', async () => {
    expect(await refusalOf('/v1/chat/completions', '{"messages": ')).toMatchObject({
      status: 400,
      type: 'invalid_request_error',
      code: 'invalid_json',
    });
  });

  it('is refused when it is no object', async () => {
    expect(await refusalOf('/v1/chat/completions', '[1]')).toMatchObject({
      status: 400,
      code: 'invalid_value',
      message: expect.stringContaining('The request body') as string,
    });
  });

  it.each(['application/xml', 'text/plain'])('is refused, with the remedy, when it is %s', async (contentType) => {
    const response = await fetch(`${api.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': contentType },
      body: '{"prompt": "x"}',
    });
    expect(response.status).toBe(415);
    expect(((await response.json()) as ErrorBody).error).toMatchObject({
      type: 'invalid_request_error',
      code: 'unsupported_media_type',
      message: expect.stringContaining('content-type: application/json') as string,
    });
  });

  it('is refused when the URL cannot be decoded', async () => {
    const response = await fetch(`${api.url}/v1/models/%zz`);
    expect(response.status).toBe(400);
    expect(((await response.json()) as ErrorBody).error.type).toBe('invalid_request_error');
  });

  it('is refused when it is too large', async () => {
    expect(await refusalOf('/v1/completions', { prompt: 'x'.repeat(500_000) })).toMatchObject({
      status: 413,
      code: 'request_too_large',
    });
  });

  it('is refused when there is no such route', async () => {
    expect(await refusalOf('/v1/embeddings', {})).toMatchObject({ status: 404, code: 'unknown_url' });
  });

  it('is refused when the route takes another method', async () => {
    const response = await fetch(`${api.url}/v1/chat/completions`);
    expect(response.status).toBe(405);
    expect(((await response.json()) as ErrorBody).error.message).toContain('takes POST');
  });
});

describe('what the cluster cannot do for the moment', () => {
  it('is to be sent again later, and is no fault of the request', async () => {
    const refusing = await startScriptedApi();
    const reason = 'worker w1: placement version 3 is not served, version 4 is';
    refusing.engine.script = { tokenIds: [], end: new ExpertmeshError('failed_precondition', reason) };
    const response = await refusing.post('/v1/completions', { prompt: 'x' });
    await refusing.close();
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toMatchObject({ error: { type: 'server_error', message: reason } });
  });
});

describe('request ids', () => {
  const idFor = async (given: string): Promise<string | null> =>
    (await fetch(`${api.url}/v1/models`, { headers: { 'x-request-id': given } })).headers.get('x-request-id');

  it("are the client's own when they are harmless", async () => {
    expect(await idFor('job-17.a')).toBe('job-17.a');
    expect(await idFor('a b')).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('a body that never comes to its end', () => {
  it('does not reach the engine', async () => {
    const before = api.engine.requests.length;
    const { port } = api.server;
    const call = request({
      port,
      method: 'POST',
      path: '/v1/completions',
      headers: { 'content-type': 'application/json' },
    });
    call.on('error', () => undefined);
    call.write('{"prompt": "x');
    await new Promise((resolve) => call.on('socket', (socket) => socket.once('connect', resolve)));
    call.destroy();
    expect((await fetch(`${api.url}/health/live`)).status).toBe(200);
    expect(api.engine.requests.length).toBe(before);
  });
});
