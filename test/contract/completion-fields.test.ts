import { MODEL_ID, type ScriptedApi, startScriptedApi } from '@expertmesh/test-kit/http-api';
import type OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

let api: ScriptedApi;
beforeAll(async () => {
  api = await startScriptedApi();
});
beforeEach(() => api.answerWith('one two'));
afterAll(() => api.close());

const complete = (fields: object) =>
  api.openai.completions.create({ model: MODEL_ID, ...fields } as OpenAI.CompletionCreateParamsNonStreaming);

const lastRequest = () => api.engine.requests.at(-1);
const tokensOf = (text: string) => api.model.tokenizer.encode(text);
const nameOf = (tokenId: number) => api.model.tokenizer.decode([tokenId]);

describe('several prompts', () => {
  it.each([
    [['a', 'b', 'c']],
    [
      [
        [5, 6],
        [7, 8],
        [9, 10],
      ],
    ],
  ])('have one choice each, in order: %j', async (prompt) => {
    const before = api.engine.requests.length;
    const { choices, usage } = await complete({ prompt });
    expect(choices.map(({ index, text }) => [index, text])).toEqual([
      [0, 'one two'],
      [1, 'one two'],
      [2, 'one two'],
    ]);
    const asked = api.engine.requests.slice(before);
    expect(asked).toHaveLength(3);
    expect(usage?.prompt_tokens).toBe(asked.reduce((sum, { promptTokenIds }) => sum + promptTokenIds.length, 0));
    expect(usage?.completion_tokens).toBe(3 * api.engine.script.tokenIds.length);
  });

  it('times n answers are numbered through', async () => {
    const { choices } = await complete({ prompt: ['a', 'b'], n: 2 });
    expect(choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
  });

  it('stream side by side', async () => {
    const body = { model: MODEL_ID, prompt: ['a', 'b'], stream: true as const };
    const texts = ['', ''];
    const ends: number[] = [];
    for await (const { choices } of await api.openai.completions.create(body))
      for (const { index, text, finish_reason: reason } of choices) {
        texts[index] = `${texts[index] ?? ''}${text}`;
        // The client's type does not know that it is null before the end.
        if ((reason as string | null) !== null) ends.push(index);
      }
    expect(texts).toEqual(['one two', 'one two']);
    expect(ends.sort()).toEqual([0, 1]);
  });

  it('fail together, and leave nothing running', async () => {
    await expect(complete({ prompt: [[5], [99_999]] })).rejects.toMatchObject({ status: 400, param: 'prompt' });
    await expect.poll(() => api.engine.numOpenSequences).toBe(0);
  });
});

describe('logprobs', () => {
  it('are lists with an entry a token', async () => {
    const { choices } = await complete({ prompt: 'x', logprobs: 2 });
    const { tokenIds } = api.engine.script;
    const [first = 0] = tokenIds;
    expect(choices[0]?.logprobs).toMatchObject({
      tokens: tokenIds.map(nameOf),
      token_logprobs: tokenIds.map(() => -0.5),
    });
    expect(choices[0]?.logprobs?.top_logprobs?.[0]).toEqual({ [nameOf(first)]: -0.5, [nameOf(first + 1)]: -1.5 });
    const offsets = choices[0]?.logprobs?.text_offset ?? [];
    expect(offsets.map((offset) => 'one two'.slice(0, offset).length)).toEqual(offsets);
    expect(offsets[0]).toBe(0);
  });

  it('with an echo begin with the prompt, as evaluations need it', async () => {
    const prompt = 'Once upon';
    const { choices } = await complete({ prompt, logprobs: 1, echo: true, max_tokens: 1 });
    const promptTokenIds = await tokensOf(prompt);
    const { tokenIds } = api.engine.script;
    expect(choices[0]?.text).toBe('Once uponone two');
    expect(choices[0]?.logprobs?.tokens).toEqual([...promptTokenIds, ...tokenIds].map(nameOf));
    expect(choices[0]?.logprobs?.token_logprobs?.slice(0, 2)).toEqual([null, -0.5]);
    expect(choices[0]?.logprobs?.top_logprobs?.[0]).toBeNull();
    expect(choices[0]?.logprobs?.text_offset?.[promptTokenIds.length]).toBe(prompt.length);
  });

  it('of a prompt alone cost no answer', async () => {
    const prompt = await tokensOf('Once upon');
    const { choices } = await complete({ prompt, logprobs: 1, echo: true, max_tokens: 0 });
    expect(lastRequest()).toMatchObject({ maxTokens: 0, logprobs: { prompt: 1 } });
    expect(choices[0]).toMatchObject({ text: 'Once upon', finish_reason: 'length' });
    expect(choices[0]?.logprobs?.tokens).toHaveLength(prompt.length);
  });

  it('come in the chunks of a stream with offsets that go on', async () => {
    const body = { model: MODEL_ID, prompt: 'x', stream: true, logprobs: 0 } as const;
    const offsets: number[] = [];
    for await (const { choices } of await api.openai.completions.create(body))
      offsets.push(...(choices[0]?.logprobs?.text_offset ?? []));
    expect(offsets).toHaveLength(api.engine.script.tokenIds.length);
    expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
  });

  it('name tokens by their ids where that is asked for', async () => {
    const { choices } = await complete({ prompt: 'x', logprobs: 0, return_tokens_as_token_ids: true });
    expect(choices[0]?.logprobs?.tokens?.[0]).toBe(`token_id:${String(api.engine.script.tokenIds[0])}`);
  });
});

describe('an echo', () => {
  it('gives the prompt back before the text', async () => {
    expect((await complete({ prompt: 'Once', echo: true })).choices[0]?.text).toBe('Onceone two');
    const withoutAnswer = await complete({ prompt: 'Once', echo: true, max_tokens: 0 });
    expect(withoutAnswer.choices[0]?.text).toBe('Once');
  });
});

describe('token ids', () => {
  it('of prompt and answer are in each choice', async () => {
    const { choices } = await complete({ prompt: [[5, 6], [7]], return_token_ids: true, prompt_logprobs: 0 });
    expect(choices).toMatchObject([
      { token_ids: api.engine.script.tokenIds, prompt_token_ids: [5, 6], prompt_logprobs: [null, {}] },
      { token_ids: api.engine.script.tokenIds, prompt_token_ids: [7], prompt_logprobs: [null] },
    ]);
  });
});

describe('the tokenizer', () => {
  const postJson = async (path: string, body: object): Promise<unknown> => (await api.post(path, body)).json();

  it('gives tokens as text, and text of tokens', async () => {
    const tokens = await tokensOf('one two');
    expect(
      await postJson('/tokenize', { prompt: 'one two', return_token_strs: true, add_special_tokens: false }),
    ).toEqual({
      count: tokens.length,
      max_model_len: 2048,
      tokens,
      token_strs: tokens.map(nameOf),
    });
    expect(await postJson('/detokenize', { tokens })).toEqual({ prompt: 'one two' });
    const refused = await api.post('/detokenize', { tokens: [99_999] });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ error: { param: 'tokens' } });
  });

  it('renders messages as a chat would', async () => {
    const messages = [{ role: 'user', content: 'hi' }];
    const tools = [{ type: 'function', function: { name: 'add' } }];
    const chat = { messages, tools, chat_template_kwargs: { enable_thinking: false } };
    const { tokens } = (await postJson('/tokenize', chat)) as { tokens: number[] };
    await api.post('/v1/chat/completions', chat);
    expect(tokens).toEqual(lastRequest()?.promptTokenIds);
    const open = (await postJson('/tokenize', { messages, add_generation_prompt: false })) as { tokens: number[] };
    expect(api.model.tokenizer.decode(open.tokens)).toBe('<|im_start|>user\nhi<|im_end|>\n');
  });

  it('tells its configuration, with the chat template', async () => {
    const info = (await (await fetch(`${api.url}/tokenizer_info`)).json()) as Record<string, unknown>;
    expect(info).toMatchObject({
      tokenizer_class: expect.any(String) as string,
      eos_token: expect.anything() as unknown,
    });
    expect(info['chat_template']).toContain('im_start');
  });
});
