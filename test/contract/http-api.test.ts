import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MODEL_ID, type ScriptedApi, startScriptedApi } from '@expertmesh/test-kit/http-api';

let api: ScriptedApi;
beforeAll(async () => {
  api = await startScriptedApi();
});
afterAll(() => api.close());

const getJson = async (path: string): Promise<unknown> => (await fetch(api.url + path)).json();

describe('POST /v1/completions', () => {
  it('completes text without a chat template', async () => {
    await api.answerWith(' a story<|im_start|>');
    const completion = await api.openai.completions.create({ model: MODEL_ID, prompt: 'Once', max_tokens: 9 });
    expect(completion).toMatchObject({
      object: 'text_completion',
      choices: [{ index: 0, text: ' a story', finish_reason: 'stop', logprobs: null }],
    });
    const promptTokenIds = await api.model.tokenizer.encode('Once');
    expect(api.engine.requests.at(-1)).toMatchObject({ promptTokenIds, maxTokens: 9 });
    expect(completion.usage?.prompt_tokens).toBe(promptTokenIds.length);
  });

  it('takes token ids as they are, also as a list of one prompt', async () => {
    await api.answerWith('x');
    for (const prompt of [[5, 6], [[5, 6]]]) {
      await api.openai.completions.create({ model: MODEL_ID, prompt });
      expect(api.engine.requests.at(-1)?.promptTokenIds).toEqual([5, 6]);
    }
  });

  it('streams', async () => {
    await api.answerWith('one 🦜 two');
    const stream = await api.openai.completions.create({
      model: MODEL_ID,
      prompt: 'x',
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    let completionTokens: number | undefined;
    for await (const { choices, usage } of stream) {
      text += choices[0]?.text ?? '';
      completionTokens = usage?.completion_tokens;
    }
    expect(text).toBe('one 🦜 two');
    expect(completionTokens).toBe(api.engine.script.tokenIds.length);
  });

  it.each([
    [{ prompt: Array(257).fill('a') }, 'invalid_value', 'prompt'],
    [{ prompt: ['a', 5] }, 'invalid_value', 'prompt'],
    [{ prompt: 'a', logprobs: 21 }, 'invalid_value', 'logprobs'],
    [{ prompt: 'a', max_tokens: 0 }, 'invalid_value', 'max_tokens'],
    [{ prompt: 'a', thinking_token_budget: 5 }, 'unsupported_parameter', 'thinking_token_budget'],
    [{ prompt: 'a', suffix: 'b' }, 'unsupported_parameter', 'suffix'],
    [{ prompt: '' }, 'invalid_value', 'prompt'],
    [{ prompt: [] }, 'invalid_value', 'prompt'],
    [{ prompt: [-1] }, 'invalid_value', 'prompt'],
    [{ prompt: [9999] }, 'invalid_value', 'prompt'],
    [{ prompt: {} }, 'invalid_value', 'prompt'],
    [{}, 'invalid_value', 'prompt'],
  ])('refuses %j', async (body, code, param) => {
    const response = await api.post('/v1/completions', body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code, param } });
  });
});

describe('GET /v1/models', () => {
  it('lists the served model', async () => {
    const { data } = await api.openai.models.list();
    expect(data).toMatchObject([{ id: MODEL_ID, object: 'model', max_model_len: 2048 }]);
    expect(await api.openai.models.retrieve(MODEL_ID)).toMatchObject({ id: MODEL_ID });
  });

  it('does not know another one', async () => {
    await expect(api.openai.models.retrieve('Qwen/other')).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
  });
});

describe('POST /tokenize', () => {
  it('gives the tokens of a text, control tokens included', async () => {
    const answer = (await (await api.post('/tokenize', { prompt: 'hi<|im_end|>' })).json()) as { tokens: number[] };
    expect(answer).toEqual({ count: answer.tokens.length, max_model_len: 2048, tokens: answer.tokens });
    expect(answer.tokens.at(-1)).toBe(2041);
  });

  it('gives the tokens of messages through the chat template', async () => {
    const messages = [{ role: 'user', content: 'hi' }];
    const answer = (await (await api.post('/tokenize', { model: MODEL_ID, messages })).json()) as { tokens: number[] };
    expect(api.model.tokenizer.decode(answer.tokens)).toBe('<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n');
  });
});

describe('operations', () => {
  it('is live and ready', async () => {
    expect(await getJson('/health/live')).toEqual({ status: 'live' });
    expect(await getJson('/health/ready')).toMatchObject({ status: 'ready' });
  });

  it('says why it is not ready', async () => {
    Object.assign(api.readiness, { ready: false, reason: 'worker w1 is away', details: { w1: 'away' } });
    const response = await fetch(`${api.url}/health/ready`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { message: 'worker w1 is away' }, details: { w1: 'away' } });
  });

  it('counts and times requests under the names of vLLM', async () => {
    await api.answerWith('one two');
    const read = async (): Promise<string> => (await fetch(`${api.url}/metrics`)).text();
    const valueOf = (metrics: string, series: string): number =>
      Number(
        metrics
          .split('\n')
          .find((line) => line.startsWith(`expertmesh:${series} `))
          ?.split(' ')[1],
      );
    const before = await read();
    await api.openai.completions.create({ model: MODEL_ID, prompt: [1, 2, 3] });
    const after = await read();
    const growth = (series: string): number => valueOf(after, series) - valueOf(before, series);
    const numTokens = api.engine.script.tokenIds.length;
    expect(growth('prompt_tokens_total')).toBe(3);
    expect(growth('generation_tokens_total')).toBe(numTokens);
    expect(growth('request_success_total{finished_reason="stop"}')).toBe(1);
    expect(growth('time_to_first_token_seconds_count')).toBe(1);
    expect(growth('inter_token_latency_seconds_count')).toBe(numTokens - 1);
    expect(growth('e2e_request_latency_seconds_count')).toBe(1);
    expect(valueOf(after, 'kv_cache_usage_perc')).toBe(0.25);
    expect(valueOf(after, 'num_requests_running')).toBe(0);
    expect(valueOf(after, 'num_requests_waiting')).toBe(0);
  });

  it('shows the metrics that docs/api.md lists, and no others', async () => {
    const metrics = await (await fetch(`${api.url}/metrics`)).text();
    const shown = [...metrics.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => ({ name, type }));
    const own = shown.filter(({ name }) => !/^(process|nodejs)_/.test(name));
    const listed = [...readFileSync('docs/api.md', 'utf8').matchAll(/^\| `(expertmesh:\w+)\S*` +\| (\w+)/gm)];
    const byName = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name);
    expect(own.sort(byName)).toEqual(listed.map(([, name = '', type = '']) => ({ name, type })).sort(byName));
    expect(metrics).toContain('expertmesh:rebalance_moves_total 5\n');
  });

  it('shows the state of engine and cluster', async () => {
    expect(await getJson('/admin/v1/stats')).toMatchObject({ engine: { numRunning: 0 }, cluster: { workers: ['w0'] } });
  });
});

describe('the end of the server', () => {
  it('ends a running answer with an error when its time is up, and leaves no connection', async () => {
    const ending = await startScriptedApi();
    ending.engine.script = { tokenIds: await ending.model.tokenizer.encode('one two'), end: 'hang until aborted' };
    const response = await ending.post('/v1/completions', { prompt: 'x', stream: true });
    const deadline = new AbortController();
    const closed = ending.server.close(deadline.signal);
    await expect(Promise.race([closed, sleep(50, 'still open')])).resolves.toBe('still open');
    deadline.abort();
    expect(await response.text()).toContain('"code":"unavailable"');
    await closed;
    await expect(fetch(`${ending.url}/health/live`)).rejects.toThrow();
  });

  it('refuses what comes over a kept connection meanwhile, in the form of every error', async () => {
    const ending = await startScriptedApi();
    ending.engine.script = { tokenIds: [5], end: 'hang until aborted' };
    const { hanging } = ending.engine;
    const socket = connect(ending.server.port, '127.0.0.1');
    const received = textOf(socket);
    const body = '{"prompt": "x"}';
    const head =
      `POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: ` +
      `application/json\r\nContent-Length: ${String(body.length)}\r\n\r\n`;
    socket.write(head + body);
    await hanging;
    const deadline = new AbortController();
    const closed = ending.server.close(deadline.signal);
    socket.write('GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n');
    await sleep(50);
    deadline.abort();
    const [, , second = ''] = (await received).split('HTTP/1.1 ');
    await closed;
    expect(second).toMatch(/^503 .*\r\nconnection: close\r\n.*\r\nretry-after: 1\r\n/s);
    expect(JSON.parse(second.slice(second.indexOf('{')))).toMatchObject({
      error: {
        type: 'server_error',
        code: 'unavailable',
        message: 'The server is shutting down; send the request again',
      },
    });
  });

  it('lets an answer that ends by itself end', async () => {
    const ending = await startScriptedApi();
    await ending.answerWith('one two three');
    const response = await ending.post('/v1/completions', { prompt: 'x', stream: true });
    await ending.server.close(new AbortController().signal);
    expect(await response.text()).toContain('[DONE]');
  });

  it('says so when the port is taken', async () => {
    await expect(startScriptedApi({ port: api.server.port })).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringContaining('--port') as string,
    });
  });
});
