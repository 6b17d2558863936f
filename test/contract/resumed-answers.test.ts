import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import { type AddressInfo } from 'node:net';
import { resumableChat, type ChatChunk } from 'expertmesh/client/resumable-chat';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EOS_TOKEN, MODEL_ID, type ScriptedApi, startScriptedApi } from '@expertmesh/test-kit/http-api';
import { pipe } from './chat-user.js';

const tool = { type: 'function', function: { name: 'add', parameters: { type: 'object' } } };
const ANSWER =
  '<think>\nhm 🦜\n</think>\n\nAdding 答.\n<tool_call>\n{"name": "add", "arguments": {"a": "🦜"}}\n</tool_call>';
const question = { model: MODEL_ID, messages: [{ role: 'user', content: 'What is 47 + 85?' }], tools: [tool] };

let api: ScriptedApi;
beforeAll(async () => {
  api = await startScriptedApi();
});
afterAll(() => api.close());

interface Completion {
  readonly choices: readonly [
    {
      readonly message: { readonly tool_calls?: readonly { id: string }[] };
      readonly finish_reason: string;
      readonly stop_reason: string | number | null;
      readonly token_ids: readonly number[];
    },
  ];
  readonly usage: object;
}

async function complete(body: object, key?: string): Promise<{ status: number; body: Completion; text: string }> {
  const response = await fetch(`${api.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) },
    body: JSON.stringify({ ...question, return_token_ids: true, ...body }),
  });
  const text = await response.text();
  return { status: response.status, text, body: JSON.parse(text) as Completion };
}

/** Ids of calls are made anew by every answer. */
function answerOf({ choices: [choice], usage }: Completion): unknown {
  const withoutIds = (name: string, value: unknown): unknown => (name === 'id' ? undefined : value);
  return JSON.parse(JSON.stringify({ choice, usage }, withoutIds));
}

describe('an answer that is resumed', () => {
  it.each([
    ['with thinking and a call', {}],
    ['with a stop string', { stop: ['ng 答'] }],
    ['with a stop string that may not end it yet', { stop: ['h', '.'], min_tokens: 12 }],
    ['with a limit', { max_tokens: 30 }],
  ])('%s is the same after any of its tokens', async (_, fields) => {
    await api.answerWith(ANSWER);
    if ('max_tokens' in fields)
      api.engine.script = { tokenIds: api.engine.script.tokenIds.slice(0, 30), end: 'length' };
    const whole = (await complete(fields)).body;
    const { token_ids: tokenIds } = whole.choices[0];
    for (let numHeard = 1; numHeard <= tokenIds.length; numHeard++) {
      const resumed = await complete({ ...fields, resume_token_ids: tokenIds.slice(0, numHeard) });
      expect(answerOf(resumed.body), `after ${String(numHeard)} tokens`).toEqual(answerOf(whole));
    }
  });

  it('asks the engine for nothing where it had ended', async () => {
    await api.answerWith('done');
    const numBefore = api.engine.requests.length;
    const { body } = await complete({ resume_token_ids: api.engine.script.tokenIds });
    expect(body.choices[0].finish_reason).toBe('stop');
    expect(api.engine.requests).toHaveLength(numBefore);
  });

  it.each([
    [{ n: 2 }, 'resume_token_ids is of one answer, and 2 are asked for'],
    [{ logprobs: true, top_logprobs: 1 }, 'resume_token_ids comes without log-probabilities'],
    [{ max_tokens: 1 }, 'resume_token_ids has 2, more than the 1 asked for'],
    [{ resume_token_ids: [1, 99_999] }, 'resume_token_ids has token 99999'],
  ])('is refused by name with %o', async (fields, message) => {
    const { status, text } = await complete({ resume_token_ids: [7, 8], ...fields });
    expect(status).toBe(400);
    expect(text).toContain(message);
  });

  it('is refused where it goes on after its end, and for several prompts', async () => {
    const [end = 0] = await api.model.tokenizer.encode(EOS_TOKEN);
    expect((await complete({ resume_token_ids: [end, 7] })).text).toContain('resume_token_ids[0] ends the answer');
    const several = { model: MODEL_ID, prompt: ['one', 'two'], resume_token_ids: [7] };
    expect(await (await api.post('/v1/completions', several)).text()).toContain('there are 2 prompts');
  });
});

describe('an idempotency key', () => {
  it('is the seed of a request that names none', async () => {
    await api.answerWith('ok');
    const seedOf = async (key: string, fields = {}): Promise<number | undefined> => {
      await complete(fields, key);
      return api.engine.requests.at(-1)?.sampling.seed;
    };
    const first = await seedOf('"one"');
    expect(first).toBeGreaterThan(0);
    expect(await seedOf('one')).toBe(first);
    expect(await seedOf('two')).not.toBe(first);
    expect(await seedOf('three', { seed: 5 })).toBe(5);
  });

  it('is refused with 422 for another request, and with 409 while its own is answered', async () => {
    api.engine.script = { tokenIds: await api.model.tokenizer.encode('one two'), end: 'hang until aborted' };
    const { hanging } = api.engine;
    const first = complete({}, 'busy');
    await hanging;
    expect(await complete({ temperature: 0 }, 'busy')).toMatchObject({ status: 422 });
    expect(await complete({}, 'busy')).toMatchObject({ status: 409 });
    const { tokenIds } = api.engine.script;
    await api.answerWith('one two three');
    const resumed = await complete({ resume_token_ids: tokenIds }, 'busy');
    expect(resumed.status).toBe(200);
    expect((await first).text).toContain('Another request of the same idempotency key');
    expect(api.engine.numOpenSequences).toBe(0);
  });

  it.each(['', 'a b', 'ä', 'x'.repeat(256)])('that is none is refused: %s', async (key) => {
    expect((await complete({}, encodeURI(key) === key ? key : `"${encodeURI(key)}`)).status).toBe(400);
  });
});

/** Passes requests on to the API, and cuts each answer off after as many bytes as it is told. */
async function startCuttingProxy(numBytes: readonly number[]) {
  let numAnswers = 0;
  const server = createServer((incoming, outgoing) => {
    let left = numBytes[numAnswers++] ?? Infinity;
    const { method, url: path, headers } = incoming;
    const passed = httpRequest(api.url + (path ?? ''), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.on('data', (bytes: Buffer) => {
        if (bytes.length < left) outgoing.write(bytes);
        else outgoing.write(bytes.subarray(0, left), () => incoming.socket.destroy());
        left -= bytes.length;
      });
      answer.on('end', () => outgoing.end());
      outgoing.on('close', () => answer.destroy());
    });
    incoming.pipe(passed);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  proxies.push(() => server.close());
  return { url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`, numAnswers: () => numAnswers };
}
const proxies: (() => void)[] = [];
afterEach(() => {
  for (const close of proxies.splice(0)) close();
});

/** What a client makes of the chunks. */
async function toldBy(chunks: AsyncIterable<ChatChunk>): Promise<Record<string, string>> {
  const told: Record<string, string> = {};
  const add = (field: string, text: string | null | undefined): void => {
    told[field] = (told[field] ?? '') + (text ?? '');
  };
  for await (const { choices, usage } of chunks) {
    for (const { delta, finish_reason: reason } of choices) {
      add('role', delta.role);
      add('reasoning', delta.reasoning);
      add('content', delta.content);
      for (const { function: piece } of delta.tool_calls ?? []) {
        add('name', piece?.name);
        add('arguments', piece?.arguments);
      }
      add('end', reason);
    }
    add('usage', usage ? JSON.stringify(usage) : '');
  }
  return told;
}

describe('the client helper', () => {
  const body = { ...question, stream_options: { include_usage: true } };

  it('tells every piece once, wherever the connection breaks', async () => {
    await api.answerWith(ANSWER);
    const whole = await toldBy(resumableChat({ urls: [api.url], body }));
    expect(whole).toMatchObject({ role: 'assistant', reasoning: 'hm 🦜', content: 'Adding 答.', end: 'tool_calls' });
    for (let cutBytes = 1; cutBytes < 20_000; cutBytes += 397) {
      const proxy = await startCuttingProxy([cutBytes, cutBytes + 900]);
      const told = await toldBy(resumableChat({ urls: [proxy.url], body }));
      expect(told, `cut after ${String(cutBytes)} bytes`).toEqual(whole);
    }
  });

  it('goes on at the next address with the tokens that it has, by the same key', async () => {
    await api.answerWith('one two three four five');
    const dying = await startCuttingProxy([1500]);
    const failures: string[] = [];
    const told = await toldBy(
      resumableChat({
        urls: [dying.url, api.url],
        body,
        onResume: (failure, numTokens) => failures.push(`${failure.message} after ${String(numTokens)}`),
      }),
    );
    expect(told['content']).toBe('one two three four five');
    expect(failures).toHaveLength(1);
    expect(failures[0]).toMatch(/the connection broke off in the middle of the answer after [1-9]/);
    const [before, after] = api.engine.requests.slice(-2);
    expect(after?.resumedTokenIds?.length).toBeGreaterThan(0);
    expect(after?.sampling.seed).toBe(before?.sampling.seed);
  });

  it('gives up at once what asking again does not mend, and in the end what it might', async () => {
    const wrong = resumableChat({ urls: [api.url], body: { ...body, temperature: 9 } });
    await expect(toldBy(wrong)).rejects.toThrow('temperature');
    const nobody = resumableChat({ urls: ['http://127.0.0.1:9'], body, patienceMs: 300 });
    await expect(toldBy(nobody)).rejects.toThrow('No server answers at http://127.0.0.1:9');
  });

  it('is what expertmesh chat goes on with at the next --url', async () => {
    await api.answerWith('one two three four five');
    // The model is asked for first.
    const dying = await startCuttingProxy([Infinity, 1500]);
    const { stdout, stderr, exitCode } = await pipe('Count.', ['--url', dying.url, '--url', api.url]);
    expect({ stdout, stderr, exitCode }).toEqual({ stdout: 'one two three four five\n', stderr: '', exitCode: 0 });
    expect(api.engine.requests.at(-1)?.resumedTokenIds?.length).toBeGreaterThan(0);
  });

  it('leaves a server that is silent', async () => {
    api.engine.script = { tokenIds: await api.model.tokenizer.encode('one two'), end: 'hang until aborted' };
    const silent = toldBy(resumableChat({ urls: [api.url], body, silenceMs: 500, patienceMs: 100 }));
    await expect(silent).rejects.toThrow('has been silent for 0.5 s');
  });
});
