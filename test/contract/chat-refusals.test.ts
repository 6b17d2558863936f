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
    [
      { messages, stream_options: { x: 1 } },
      { code: 'unknown_parameter', param: 'stream_options.x' },
    ],
    [
      { messages, n: 0 },
      { code: 'invalid_value', param: 'n' },
    ],
    [
      { messages, best_of: 2, stream: true },
      { code: 'invalid_value', param: 'best_of' },
    ],
    [
      { messages, n: 1e308 },
      { code: 'invalid_value', param: 'n' },
    ],
    [
      { messages, use_beam_search: true },
      {
        code: 'unsupported_parameter',
        param: 'use_beam_search',
        message: 'use_beam_search is not supported: leave it out or set it to false',
      },
    ],
    [
      { messages, response_format: { type: 'structural_tag' } },
      { code: 'unsupported_parameter', param: 'response_format' },
    ],
    [
      { messages, tool_choice: 'required' },
      { code: 'invalid_value', param: 'tool_choice' },
    ],
    [
      { messages, top_logprobs: 3 },
      { code: 'invalid_value', param: 'top_logprobs' },
    ],
    [
      { messages, logprobs: true, top_logprobs: 21 },
      { code: 'invalid_value', param: 'top_logprobs' },
    ],
    [
      { messages, logit_bias: { abc: 1 } },
      { code: 'invalid_value', param: 'logit_bias' },
    ],
    [
      { messages, logit_bias: { 5: 101 } },
      { code: 'invalid_value', param: 'logit_bias' },
    ],
    [
      { messages, n: 3, best_of: 2 },
      { code: 'invalid_value', param: 'best_of' },
    ],
    [
      { messages, response_format: { type: 'json_object' }, guided_regex: 'a+' },
      { code: 'invalid_value', param: 'guided_regex' },
    ],
    [
      { messages, response_format: { type: 'json_schema' } },
      { code: 'invalid_value', param: 'response_format.json_schema' },
    ],
    [
      { messages, response_format: { type: 'json_schema', json_schema: { schema: { not: {} } } } },
      { code: 'invalid_value', param: 'response_format' },
    ],
    [
      { messages, structured_outputs: { regex: '(' }, stream: true },
      { code: 'invalid_value', param: 'structured_outputs.regex' },
    ],
    [
      { messages, chat_template_kwargs: { enable_thinking: 'false' } },
      { code: 'invalid_value', param: 'chat_template_kwargs' },
    ],
    [
      { messages, guided_json: '{"type": ' },
      { code: 'invalid_value', param: 'guided_json' },
    ],
    [
      { messages, structured_outputs: { structural_tag: '{}' } },
      { code: 'unsupported_parameter', param: 'structured_outputs.structural_tag' },
    ],
    [
      { messages, guided_decoding_backend: 'outlines' },
      { code: 'unsupported_parameter', param: 'guided_decoding_backend' },
    ],
    [
      { messages, prompt_logprobs: 1, stream: true },
      { code: 'invalid_value', param: 'prompt_logprobs' },
    ],
    [
      { messages, continue_final_message: true },
      { code: 'invalid_value', param: 'continue_final_message' },
    ],
    [
      { messages, chat_template: '{{ messages }}' },
      { code: 'unsupported_parameter', param: 'chat_template' },
    ],
    [
      { messages, tools: [{ type: 'web_search' }] },
      { code: 'unsupported_parameter', param: 'tools[0]' },
    ],
    [
      { messages, tool_choice: { type: 'allowed_tools', allowed_tools: {} } },
      { code: 'unsupported_parameter', param: 'tool_choice' },
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
