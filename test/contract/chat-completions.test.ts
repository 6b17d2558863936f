import type OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MODEL_ID, type ScriptedApi, startScriptedApi } from '@expertmesh/test-kit/http-api';

let api: ScriptedApi;
beforeAll(async () => {
  api = await startScriptedApi();
});
afterAll(() => api.close());

const ask = (content: string) => ({ model: MODEL_ID, messages: [{ role: 'user' as const, content }] });
const question = ask('What is 47 + 85?');
const tool = {
  type: 'function' as const,
  function: { name: 'add', parameters: { type: 'object', properties: { a: { type: 'number' } } } },
};
const CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>';

/** vLLM's fields, which the client's types do not know. */
type Message = OpenAI.ChatCompletionMessage & { reasoning?: string; reasoning_content?: string };
const extra = (fields: Record<string, unknown>) => fields as object;

function lastRequest() {
  const request = api.engine.requests.at(-1);
  if (request === undefined) throw new Error('the engine was not asked');
  return request;
}

const lastPrompt = () => api.model.tokenizer.decode(lastRequest().promptTokenIds);

describe('an answer at once', () => {
  it('separates thinking from content and counts both', async () => {
    await api.answerWith('<think>\n47 + 85\n</think>\n\n132');
    const completion = await api.openai.chat.completions.create(question);
    const message = completion.choices[0]?.message as Message;
    expect(message).toMatchObject({
      role: 'assistant',
      content: '132',
      reasoning: '47 + 85',
      reasoning_content: '47 + 85',
    });
    expect(completion).toMatchObject({ object: 'chat.completion', model: MODEL_ID });
    expect(completion.choices[0]?.finish_reason).toBe('stop');
    const numTokens = api.engine.script.tokenIds.length;
    const promptTokens = lastRequest().promptTokenIds.length;
    const thinkingTokens = await api.model.tokenizer.encode('47 + 85');
    expect(completion.usage).toEqual({
      prompt_tokens: promptTokens,
      completion_tokens: numTokens,
      total_tokens: promptTokens + numTokens,
      completion_tokens_details: { reasoning_tokens: thinkingTokens.length },
    });
  });

  it('asks the engine with the model defaults where the request is silent, else with its own values', async () => {
    await api.answerWith('ok');
    await api.openai.chat.completions.create(question);
    expect(lastRequest()).toMatchObject({
      sampling: { temperature: 0.6, topK: 20, topP: 0.95, minP: 0, repetitionPenalty: 1 },
      stopTokenIds: [2041, 2039],
      maxTokens: 2048 - lastRequest().promptTokenIds.length,
    });
    await api.openai.chat.completions.create({
      ...question,
      temperature: 0,
      max_completion_tokens: 5,
      ...extra({ seed: 7, top_k: -1, stop_token_ids: [3], ignore_eos: true }),
    });
    expect(lastRequest()).toMatchObject({
      sampling: { temperature: 0, topK: 0, topP: 0.95, seed: 7 },
      stopTokenIds: [3],
      maxTokens: 5,
    });
  });

  it('says length when the answer was cut, also inside thinking', async () => {
    api.engine.script = { tokenIds: await api.model.tokenizer.encode('<think>\nlet me'), end: 'length' };
    const { choices } = await api.openai.chat.completions.create(question);
    expect(choices[0]).toMatchObject({
      finish_reason: 'length',
      message: { content: '', reasoning: 'let me' },
    });
  });

  it('ends before a stop string, and ends the sequence with it', async () => {
    await api.answerWith('one two three four');
    const { choices } = await api.openai.chat.completions.create({ ...question, stop: ['three', 'zzz'] });
    expect(choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: 'one two ' } });
    expect(api.engine.numOpenSequences).toBe(0);
    const included = await api.openai.chat.completions.create({
      ...question,
      stop: 'three',
      ...extra({ include_stop_str_in_output: true }),
    });
    expect(included.choices[0]?.message.content).toBe('one two three');
  });

  it('leaves control tokens out unless asked to keep them', async () => {
    await api.answerWith('a<|im_start|>b');
    expect((await api.openai.chat.completions.create(question)).choices[0]?.message.content).toBe('ab');
    const kept = await api.openai.chat.completions.create({ ...question, ...extra({ skip_special_tokens: false }) });
    expect(kept.choices[0]?.message.content).toBe('a<|im_start|>b');
  });
});

describe('the prompt', () => {
  it('is the chat template of the messages', async () => {
    await api.answerWith('ok');
    await api.openai.chat.completions.create({
      model: MODEL_ID,
      messages: [
        { role: 'developer', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'one' },
            { type: 'text', text: 'two' },
          ],
        },
      ],
    });
    expect(lastPrompt()).toBe(
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\none\ntwo<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it('takes an answer back as it was given, with its tool calls', async () => {
    await api.answerWith(`<think>\nhm\n</think>\n\n${CALL}`);
    const tools = [tool];
    const { choices } = await api.openai.chat.completions.create({ ...question, tools });
    const [choice] = choices;
    if (choice === undefined) throw new Error('no choice');
    const id = choice.message.tool_calls?.[0]?.id ?? '';
    await api.answerWith('2');
    await api.openai.chat.completions.create({
      model: MODEL_ID,
      tools,
      messages: [...question.messages, choice.message, { role: 'tool', tool_call_id: id, content: '2' }],
    });
    expect(lastPrompt()).toContain(`<|im_start|>assistant\n${CALL}<|im_end|>`);
    expect(lastPrompt()).toContain('<tool_response>\n2\n</tool_response>');
  });

  it.each([
    [{ chat_template_kwargs: { enable_thinking: false } }, true],
    [{ reasoning_effort: 'none' }, true],
    [{ reasoning_effort: 'high' }, false],
    [{ reasoning_effort: 'none', chat_template_kwargs: { enable_thinking: true } }, false],
  ])('closes thinking in advance when %j says so', async (fields, isClosed) => {
    await api.answerWith('ok');
    await api.openai.chat.completions.create({ ...question, ...extra(fields) });
    expect(lastPrompt().endsWith('<think>\n\n</think>\n\n')).toBe(isClosed);
  });

  it('prints tools as the client wrote them', async () => {
    await api.answerWith('ok');
    const reversed = { function: { parameters: { type: 'object' }, name: 'f' }, type: 'function' as const };
    await api.openai.chat.completions.create({ ...question, tools: [reversed] });
    expect(lastPrompt()).toContain('{"function": {"parameters": {"type": "object"}, "name": "f"}, "type": "function"}');
    await api.openai.chat.completions.create({ ...question, tools: [reversed], tool_choice: 'none' });
    expect(lastPrompt()).not.toContain('parameters');
  });
});

describe('tool calls', () => {
  it('come as tool_calls, with that finish reason', async () => {
    await api.answerWith(`${CALL}\n${CALL}`);
    const { choices } = await api.openai.chat.completions.create({ ...question, tools: [tool] });
    expect(choices[0]?.finish_reason).toBe('tool_calls');
    expect(choices[0]?.message.content).toBeNull();
    expect(choices[0]?.message.tool_calls).toMatchObject([
      { type: 'function', function: { name: 'add', arguments: '{"a": 1}' } },
      { type: 'function', function: { name: 'add', arguments: '{"a": 1}' } },
    ]);
  });

  it('stop at the first when the client wants no parallel ones', async () => {
    await api.answerWith(`${CALL}\n${CALL}`);
    const { choices } = await api.openai.chat.completions.create({
      ...question,
      tools: [tool],
      parallel_tool_calls: false,
    });
    expect(choices[0]?.finish_reason).toBe('tool_calls');
    expect(choices[0]?.message.tool_calls).toHaveLength(1);
    expect(api.engine.numOpenSequences).toBe(0);
  });

  it('are plain content without tools in the request', async () => {
    await api.answerWith(CALL);
    const { choices } = await api.openai.chat.completions.create(question);
    expect(choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: CALL } });
  });
});
