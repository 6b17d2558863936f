import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import type OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { MODEL_ID, type ScriptedApi, startScriptedApi } from '@expertmesh/test-kit/http-api';

let api: ScriptedApi;
beforeAll(async () => {
  api = await startScriptedApi();
});
afterAll(() => api.close());

type Event = OpenAI.Responses.ResponseStreamEvent;

const question = { model: MODEL_ID, input: 'What is 47 + 85?' };
const add = {
  type: 'function' as const,
  name: 'add',
  description: 'Adds.',
  parameters: { type: 'object', properties: { a: { type: 'integer' } } },
  strict: false,
};
const CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>';

const lastPrompt = (): string => api.model.tokenizer.decode(api.engine.requests.at(-1)?.promptTokenIds ?? []);

async function collect(stream: AsyncIterable<Event>): Promise<readonly Event[]> {
  const events: Event[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

/** Types in order, with runs of one type written once. */
const typesOf = (events: readonly Event[]): readonly string[] =>
  events.map(({ type }) => type).filter((type, index, types) => type !== types[index - 1]);

describe('a response', () => {
  it('has text, thinking and usage in the form of the API', async () => {
    await api.answerWith('<think>\n47 + 85\n</think>\n\n132');
    const response = await api.openai.responses.create({ ...question, instructions: 'Be brief.' });
    expect(response.output_text).toBe('132');
    expect(response.output).toMatchObject([
      { type: 'reasoning', summary: [], content: [{ type: 'reasoning_text', text: '47 + 85' }], status: 'completed' },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: '132', annotations: [] }] },
    ]);
    expect(response).toMatchObject({ object: 'response', status: 'completed', error: null, incomplete_details: null });
    expect(response.usage).toMatchObject({
      input_tokens: api.engine.requests.at(-1)?.promptTokenIds.length,
      output_tokens: api.engine.script.tokenIds.length,
      input_tokens_details: { cached_tokens: 0 },
    });
    expect(response.usage?.output_tokens_details.reasoning_tokens).toBeGreaterThan(0);
    expect(lastPrompt()).toBe(
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat is 47 + 85?<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it('shows thinking as a summary, and carries it, when asked to', async () => {
    await api.answerWith('<think>\nhm\n</think>\n\nok');
    const response = await api.openai.responses.create({
      ...question,
      reasoning: { effort: 'low', summary: 'auto' },
      include: ['reasoning.encrypted_content'],
    });
    const [reasoning] = response.output;
    expect(reasoning).toMatchObject({
      type: 'reasoning',
      summary: [{ type: 'summary_text', text: 'hm' }],
      content: [],
    });
    expect(reasoning).toHaveProperty('encrypted_content', expect.any(String));
  });

  it('is incomplete when it was cut', async () => {
    api.engine.script = { tokenIds: await api.model.tokenizer.encode('one two'), end: 'length' };
    const response = await api.openai.responses.create({ ...question, max_output_tokens: 5 });
    expect(response).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      output: [{ type: 'message', status: 'incomplete' }],
    });
    expect(api.engine.requests.at(-1)?.maxTokens).toBe(5);
  });

  it('calls functions, whose definitions the template gets in the form of chat', async () => {
    await api.answerWith(`Adding.\n${CALL}\n${CALL}`);
    const response = await api.openai.responses.create({ ...question, tools: [add], tool_choice: 'auto' });
    expect(response.output).toMatchObject([
      { type: 'message' },
      { type: 'function_call', name: 'add', arguments: '{"a": 1}', status: 'completed' },
      { type: 'function_call', name: 'add' },
    ]);
    expect(lastPrompt()).toContain(
      '{"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"',
    );
  });

  it('shows definitions to the model in the order of the client, without what is not for it', async () => {
    await api.answerWith('ok');
    const { description, ...rest } = add;
    await api.openai.responses.create({ ...question, tools: [{ description, ...rest, ...{ defer_loading: false } }] });
    expect(lastPrompt()).toContain('{"type": "function", "function": {"description": "Adds.", "name": "add", "param');
    expect(lastPrompt()).not.toContain('strict');
  });

  it('is parsed by a schema', async () => {
    await api.answerWith('{"sum": 132}');
    const format = zodTextFormat(z.object({ sum: z.number() }), 'sum');
    const response = await api.openai.responses.parse({ ...question, text: { format } });
    expect(response.output_parsed).toEqual({ sum: 132 });
  });
});

describe('a conversation', () => {
  it('goes on from a stored response, by its id or by references to its items', async () => {
    await api.answerWith('132');
    const first = await api.openai.responses.create(question);
    await api.answerWith('133');
    const second = await api.openai.responses.create({
      model: MODEL_ID,
      previous_response_id: first.id,
      input: 'And one more?',
    });
    const prompt =
      '<|im_start|>user\nWhat is 47 + 85?<|im_end|>\n<|im_start|>assistant\n132<|im_end|>\n' +
      '<|im_start|>user\nAnd one more?<|im_end|>\n<|im_start|>assistant\n';
    expect(lastPrompt()).toBe(prompt);
    expect(second.previous_response_id).toBe(first.id);
    await api.openai.responses.create({
      model: MODEL_ID,
      input: [
        { role: 'user', content: [{ type: 'input_text', text: 'What is 47 + 85?' }] },
        { type: 'item_reference', id: first.output[0]?.id ?? '' },
        { role: 'user', content: 'And one more?' },
      ],
    });
    expect(lastPrompt()).toBe(prompt);
    const reference = { type: 'item_reference', id: first.output[0]?.id ?? '' } as const;
    const twice = api.openai.responses.create({ model: MODEL_ID, input: [reference, reference] });
    await expect(twice).rejects.toMatchObject({ status: 400, param: 'input[1].id' });
    expect(await api.openai.responses.retrieve(second.id)).toMatchObject({ id: second.id, output_text: '133' });
    const replay = api.openai.responses.retrieve(second.id, { stream: true });
    await expect(replay).rejects.toMatchObject({ status: 400, param: 'stream' });
    await api.openai.responses.delete(first.id);
    await expect(api.openai.responses.retrieve(first.id)).rejects.toMatchObject({ status: 404 });
    const third = { model: MODEL_ID, previous_response_id: second.id, input: 'And?' };
    await expect(api.openai.responses.create(third)).rejects.toMatchObject({
      status: 400,
      param: 'previous_response_id',
      message: expect.stringContaining(`No response ${first.id} is held`) as string,
    });
  });

  it('keeps no response that shall not be stored', async () => {
    await api.answerWith('132');
    const { id } = await api.openai.responses.create({ ...question, store: false });
    await expect(api.openai.responses.retrieve(id)).rejects.toMatchObject({ status: 404, code: 'not_found' });
  });

  it('takes back items as they came, with what clients add to them', async () => {
    await api.answerWith(`<think>\nhm\n</think>\n\n${CALL}`);
    const { output } = await api.openai.responses.create({ ...question, tools: [add] });
    const calls = output.filter((item) => item.type === 'function_call');
    const sent = JSON.stringify(output.map((item) => ({ ...item, parsed_arguments: {} })));
    const history = JSON.parse(sent) as OpenAI.Responses.ResponseInputItem[];
    await api.answerWith('2');
    await api.openai.responses.create({
      model: MODEL_ID,
      tools: [add],
      input: [
        { role: 'user', content: 'Add.' },
        ...history,
        ...calls.map(({ call_id }) => ({ type: 'function_call_output' as const, call_id, output: '2' })),
      ],
    });
    expect(lastPrompt()).toContain('assistant\n<tool_call>\n{"name": "add", "arguments": {"a": 1}}');
    expect(lastPrompt()).toContain('<tool_response>\n2\n</tool_response>');
  });
});

describe('a streamed response', () => {
  it('has the complete sequence of events, numbered', async () => {
    await api.answerWith(`<think>\nhm 🦜\n</think>\n\nAdding.\n${CALL}`);
    const events = await collect(await api.openai.responses.create({ ...question, tools: [add], stream: true }));
    expect(typesOf(events)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.reasoning_text.delta',
      'response.reasoning_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.output_item.added',
      'response.function_call_arguments.delta',
      'response.function_call_arguments.done',
      'response.output_item.done',
      'response.completed',
    ]);
    expect(events.map(({ sequence_number: number }) => number)).toEqual(events.map((_, index) => index));
    const last = events.at(-1);
    const response = last?.type === 'response.completed' ? last.response : undefined;
    expect(response?.output).toMatchObject([{ type: 'reasoning' }, { type: 'message' }, { type: 'function_call' }]);
    const ids = events.flatMap((event) => ('item_id' in event ? [event.item_id] : []));
    expect(new Set(ids)).toEqual(new Set(response?.output.map(({ id }) => id)));
  });

  it('says the same as one that comes at once, to the helper of the client', async () => {
    await api.answerWith(`<think>\nhm\n</think>\n\nAdding.\n${CALL}`);
    const request = { ...question, tools: [add], reasoning: { summary: 'auto' as const } };
    const streamed = await api.openai.responses.stream(request).finalResponse();
    const whole = await api.openai.responses.create(request);
    const withoutIds = (response: OpenAI.Responses.Response): unknown =>
      JSON.parse(
        JSON.stringify(response.output, (key, value: unknown) =>
          ['id', 'call_id', 'parsed_arguments', 'parsed'].includes(key) ? undefined : value,
        ),
      );
    expect(withoutIds(streamed)).toEqual(withoutIds(whole));
    expect(streamed.output_text).toBe('Adding.');
    expect(await api.openai.responses.retrieve(streamed.id)).toMatchObject({ status: 'completed' });
  });

  it('names its events, and ends without [DONE]', async () => {
    await api.answerWith('hi');
    const body = await (await api.post('/v1/responses', { ...question, stream: true })).text();
    const events = body.trimEnd().split('\n\n');
    for (const event of events) {
      const [, name, data = ''] = /^event: (\S+)\ndata: (.*)$/.exec(event) ?? [];
      expect(JSON.parse(data)).toMatchObject({ type: name });
    }
    expect(events.at(-1)).toContain('event: response.completed');
  });

  it('fails with its last event when it fails half-way', async () => {
    const end = new ExpertmeshError('unavailable', 'worker w1 is away');
    api.engine.script = { tokenIds: await api.model.tokenizer.encode('one two'), end };
    const events = await collect(await api.openai.responses.create({ ...question, stream: true }));
    expect(events.at(-1)).toMatchObject({
      type: 'response.failed',
      sequence_number: events.length - 1,
      response: { status: 'failed', error: { code: 'server_error', message: 'worker w1 is away' } },
    });
  });

  it('is refused with a status when it fails before the first token', async () => {
    api.engine.script = { tokenIds: [], end: new ExpertmeshError('resource_exhausted', '1024 sequences wait already') };
    const response = await api.post('/v1/responses', { ...question, stream: true });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { code: 'resource_exhausted' } });
  });
});

describe('what is refused', () => {
  it.each([
    ['tools[0]', { tools: [{ type: 'web_search' }] }, 'web_search'],
    ['input[0]', { input: [{ type: 'web_search_call', id: 'x' }] }, 'web_search_call'],
    ['input[0].content', { input: [{ role: 'user', content: [{ type: 'input_image' }] }] }, 'input_image'],
    ['input[0].id', { input: [{ type: 'item_reference', id: 'msg_1' }] }, 'msg_1'],
    ['tool_choice', { tool_choice: { type: 'mcp' } }, 'mcp'],
    ['truncation', { truncation: 'auto' }, 'disabled'],
    ['top_logprobs', { top_logprobs: 3 }, '0'],
    ['include[0]', { include: ['message.output_text.logprobs'] }, 'reasoning.encrypted_content'],
    ['reasoning.summary', { reasoning: { summary: 'concise' } }, 'detailed'],
    ['background', { background: true }, 'false'],
    ['inptu', { inptu: 'x' }, 'Unknown field'],
    ['max_output_tokens', { max_output_tokens: 5000 }, 'max_output_tokens asks for 5000'],
    ['temperature', { temperature: 3 }, '2'],
    ['previous_response_id', { previous_response_id: 'resp_1' }, 'resp_1'],
  ])('names %s', async (param, fields, words) => {
    await api.answerWith('hi');
    const response = await api.post('/v1/responses', { ...question, ...fields });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { param, message: expect.stringContaining(words) as string, type: 'invalid_request_error' },
    });
  });

  it('is another model', async () => {
    await expect(api.openai.responses.create({ ...question, model: 'gpt-x' })).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
  });
});
