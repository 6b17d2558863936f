import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MODEL_ID, type ScriptedApi, startScriptedApi } from '@expertmesh/test-kit/http-api';

let api: ScriptedApi;
beforeAll(async () => {
  api = await startScriptedApi();
});
afterAll(() => api.close());

const question = { model: MODEL_ID, messages: [{ role: 'user' as const, content: 'What is 47 + 85?' }] };

const tool = { type: 'function' as const, function: { name: 'add', parameters: { type: 'object' } } };
const CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>';

async function collect(
  stream: AsyncIterable<OpenAI.ChatCompletionChunk>,
): Promise<readonly OpenAI.ChatCompletionChunk[]> {
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const textOf = (chunks: readonly OpenAI.ChatCompletionChunk[]): string =>
  chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');

describe('a streamed answer', () => {
  it('has the role first, then thinking and content as they come, then the finish reason', async () => {
    await api.answerWith('<think>\nhm 🦜\n</think>\n\n答案 is 🦜');
    const chunks = await collect(await api.openai.chat.completions.create({ ...question, stream: true }));
    expect(chunks[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' });
    const reasoning = chunks
      .map((chunk) => (chunk.choices[0]?.delta as { reasoning?: string }).reasoning ?? '')
      .join('');
    expect(reasoning).toBe('hm 🦜');
    expect(textOf(chunks)).toBe('答案 is 🦜');
    expect(chunks.map(({ choices }) => choices[0]?.finish_reason).filter(Boolean)).toEqual(['stop']);
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('stop');
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(chunks.every((chunk) => !('usage' in chunk))).toBe(true);
    expect(chunks.length).toBeGreaterThan(5);
  });

  it('gives usage in a last chunk without choices, when asked to', async () => {
    await api.answerWith('one two');
    const stream = await api.openai.chat.completions.create({
      ...question,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = await collect(stream);
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { completion_tokens: api.engine.script.tokenIds.length },
    });
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  });

  it('gives usage so far in every chunk, when asked to', async () => {
    await api.answerWith('one two');
    const stream = await api.openai.chat.completions.create({
      ...question,
      stream: true,
      stream_options: { include_usage: true, ...{ continuous_usage_stats: true } },
    });
    const counts = (await collect(stream)).map(({ usage }) => usage?.completion_tokens ?? 0);
    expect(counts[0]).toBe(1);
    expect(counts.at(-1)).toBe(api.engine.script.tokenIds.length);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  });

  it('has tool calls whole, numbered in their order', async () => {
    await api.answerWith(`Adding.\n${CALL}\n${CALL}`);
    const stream = api.openai.chat.completions.stream({ ...question, tools: [tool] });
    const completion = await stream.finalChatCompletion();
    expect(completion.choices[0]?.message.content).toBe('Adding.');
    expect(completion.choices[0]?.message.tool_calls).toHaveLength(2);
    expect(completion.choices[0]?.finish_reason).toBe('tool_calls');
  });

  it('is server-sent events that end with [DONE]', async () => {
    await api.answerWith('hi');
    const response = await api.post('/v1/chat/completions', { ...question, stream: true });
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const body = await response.text();
    expect(body.endsWith('data: [DONE]\n\n')).toBe(true);
    for (const event of body.trimEnd().split('\n\n').slice(0, -1)) {
      expect(event.startsWith('data: {')).toBe(true);
      expect(JSON.parse(event.slice('data: '.length))).toMatchObject({ object: 'chat.completion.chunk' });
    }
  });

  it('ends with one error event when it fails half-way', async () => {
    const end = new ExpertmeshError('unavailable', 'worker w1 is away');
    api.engine.script = { tokenIds: await api.model.tokenizer.encode('one two'), end };
    const body = await (await api.post('/v1/chat/completions', { ...question, stream: true })).text();
    const lastEvent = body.trimEnd().split('\n\n').at(-1) ?? '';
    expect(JSON.parse(lastEvent.slice('data: '.length))).toEqual({
      error: { message: 'worker w1 is away', type: 'server_error', param: null, code: 'unavailable' },
    });
    expect(body).not.toContain('[DONE]');
    const stream = await api.openai.chat.completions.create({ ...question, stream: true });
    await expect(collect(stream)).rejects.toThrow('worker w1 is away');
  });

  it('is refused with a status when it fails before the first token', async () => {
    api.engine.script = { tokenIds: [], end: new ExpertmeshError('resource_exhausted', '1024 sequences wait already') };
    const response = await api.post('/v1/chat/completions', { ...question, stream: true });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    const error: unknown = await api.openai.chat.completions
      .create({ ...question, stream: true })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenAI.InternalServerError);
    expect(error).toMatchObject({ status: 503, code: 'resource_exhausted' });
  });
});

describe('a client that reads slowly', () => {
  it('makes the answer wait for it, and gets all of it', async () => {
    const numTokens = 100_000;
    const [tokenId = 0] = await api.model.tokenizer.encode('a');
    api.engine.script = { tokenIds: Array<number>(numTokens).fill(tokenId), end: 'length' };
    const response = await api.post('/v1/chat/completions', { ...question, stream: true });
    const firstToken = api.engine.numTokensGiven;
    let numGiven = 0;
    while (numGiven < api.engine.numTokensGiven) {
      numGiven = api.engine.numTokensGiven;
      for (let i = 0; i < 10; i++) await fetch(`${api.url}/health/live`);
    }
    expect(api.engine.numOpenSequences).toBe(1);
    expect(numGiven - firstToken).toBeLessThan(numTokens / 2);
    const body = await response.text();
    expect(body.match(/"content":"a"/g)).toHaveLength(numTokens);
  });
});

describe('a client that leaves', () => {
  it.each([true, false])('ends its sequence (stream: %j)', async (stream) => {
    api.engine.script = { tokenIds: await api.model.tokenizer.encode('one two'), end: 'hang until aborted' };
    const client = new AbortController();
    const { hanging } = api.engine;
    const answer = api.openai.chat.completions.create({ ...question, stream }, { signal: client.signal });
    const reading = answer.then(async (result) => {
      if (Symbol.asyncIterator in result) await collect(result);
    });
    await hanging;
    expect(api.engine.numOpenSequences).toBe(1);
    client.abort();
    await reading.catch(() => undefined);
    await expect.poll(() => api.engine.numOpenSequences).toBe(0);
  });

  it('is counted as an abort', async () => {
    const metrics = await (await fetch(`${api.url}/metrics`)).text();
    expect(metrics).toContain('expertmesh:request_success_total{finished_reason="abort"} 2');
  });
});
