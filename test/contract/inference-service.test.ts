import { once } from 'node:events';
import { connect } from 'node:http2';
import { loadServedModel } from '@expertmesh/coordinator/generation/served-model';
import { inferenceHandlers } from '@expertmesh/coordinator/grpc/inference-service';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import {
  type Chat,
  DetokenizeRequest,
  GenerateRequest,
  type GenerateResponse,
  TokenizeRequest,
} from '@expertmesh/shared/gen/expertmesh/v1/inference';
import { RpcClient } from '@expertmesh/shared/rpc/client';
import { bindService, startServer } from '@expertmesh/shared/rpc/server';
import { inferenceService } from '@expertmesh/shared/rpc/services';
import { afterAll, describe, expect, it } from 'vitest';
import { EOS_TOKEN, MODEL_ID } from '@expertmesh/test-kit/http-api';
import { ScriptedEngine } from '@expertmesh/test-kit/scripted-engine';

const engine = new ScriptedEngine();
const model = await loadServedModel(`models/${MODEL_ID}`, { id: MODEL_ID, engine });
const server = await startServer({
  host: '127.0.0.1',
  port: 0,
  portFlag: '--grpc-port',
  services: [bindService(inferenceService, inferenceHandlers(model))],
});
const client = new RpcClient(`127.0.0.1:${String(server.port)}`, 'coordinator');
afterAll(async () => {
  client.close();
  await server.close(1000);
});

const generate = (request: Partial<GenerateRequest>, signal = new AbortController().signal) =>
  client.serverStream(inferenceService.generate, GenerateRequest.fromPartial(request), { deadlineMs: 10_000, signal });

async function collect(responses: AsyncIterable<GenerateResponse>): Promise<GenerateResponse[]> {
  const all: GenerateResponse[] = [];
  for await (const response of responses) all.push(response);
  return all;
}

const unaryOptions = () => ({ deadlineMs: 10_000, signal: new AbortController().signal });

const text = (value: string): Partial<GenerateRequest> => ({ prompt: { $case: 'text', value } });

const chat = (value: Parameters<typeof Chat.fromPartial>[0]): Partial<GenerateRequest> =>
  GenerateRequest.fromPartial({ prompt: { $case: 'chat', value } });
const user = (content: string) => ({ role: 'user', content });

describe('InferenceService.Generate', () => {
  it('streams tokens and text, and ends with a reason and usage', async () => {
    engine.script = { tokenIds: await model.tokenizer.encode(`one 🦜 two${EOS_TOKEN}`), end: 'stop' };
    const responses = await collect(generate({ ...text('hi'), maxTokens: 50 }));
    expect(responses.map((response) => response.text).join('')).toBe('one 🦜 two');
    expect(responses.flatMap(({ tokenIds }) => tokenIds)).toEqual(engine.script.tokenIds);
    const promptTokens = (await model.tokenizer.encode('hi')).length;
    expect(responses.at(-1)).toMatchObject({
      finishReason: 'stop',
      usage: { promptTokens, completionTokens: engine.script.tokenIds.length },
    });
    expect(responses.slice(0, -1).every(({ finishReason, usage }) => finishReason === '' && !usage)).toBe(true);
  });

  it('takes token ids, sampling and stops as they are', async () => {
    engine.script = { tokenIds: await model.tokenizer.encode('one two three'), end: 'length' };
    const responses = await collect(
      generate({
        prompt: { $case: 'tokenIds', value: { ids: [7, 8] } },
        sampling: { temperature: 0, seed: 3 },
        stop: ['three'],
        stopTokenIds: [9],
        ignoreEos: true,
      }),
    );
    expect(responses.map((response) => response.text).join('')).toBe('one two ');
    expect(engine.requests.at(-1)).toMatchObject({
      promptTokenIds: [7, 8],
      sampling: { temperature: 0, seed: 3, topK: 20 },
      stopTokenIds: [9],
      maxTokens: 2046,
    });
  });

  it.each<[Partial<GenerateRequest>, string]>([
    [{}, 'invalid_argument'],
    [{ ...text('x'), model: 'other' }, 'not_found'],
    [{ ...text('x'), sampling: { temperature: 9 } }, 'invalid_argument'],
    [{ ...text('x'), maxTokens: 4000 }, 'invalid_argument'],
    [chat({ messages: [user('hi')], toolChoice: { choice: { $case: 'mode', value: 'some' } } }), 'invalid_argument'],
    [{ ...text('x'), constraint: { kind: { $case: 'jsonSchema', value: '{' } } }, 'invalid_argument'],
  ])('refuses %j', async (request, code) => {
    await expect(collect(generate(request))).rejects.toMatchObject({ code });
  });

  it('names fields of a refusal as its messages do', async () => {
    const refusal = collect(generate({ ...text('x'), stop: [''] }));
    await expect(refusal).rejects.toMatchObject({ message: expect.stringContaining('text in stop must') as string });
    const ofChat = collect(generate(chat({ messages: [user('hi')], thinking: { mode: 'maybe' } })));
    await expect(ofChat).rejects.toMatchObject({ message: expect.stringContaining('thinking.mode must') as string });
  });

  it('answers a chat in parts, with calls', async () => {
    const answer =
      '<think>\nhm\n</think>\n\n<tool_call>\n{"name": "add", "arguments": {"a": ' + `1}}\n</tool_call>${EOS_TOKEN}`;
    engine.script = { tokenIds: await model.tokenizer.encode(answer), end: 'stop' };
    const tools = [{ name: 'add', description: 'adds', parameters: '{"type":"object"}' }];
    const responses = await collect(generate(chat({ messages: [user('1?')], tools })));
    const parts = responses.flatMap((response) => response.parts.flatMap(({ part }) => (part ? [part] : [])));
    const joined = (kind: 'reasoning' | 'callArguments'): string =>
      parts
        .map((part) => (part.$case === kind ? (typeof part.value === 'string' ? part.value : part.value.text) : ''))
        .join('');
    expect(joined('reasoning')).toBe('hm');
    expect(parts).toContainEqual({ $case: 'callStart', value: { callIndex: 0, name: 'add' } });
    expect(joined('callArguments')).toBe('{"a": 1}');
    const reasoningTokens = (await model.tokenizer.encode('hm')).length;
    expect(responses.at(-1)).toMatchObject({ finishReason: 'tool_calls', text: '', usage: { reasoningTokens } });
    const prompt = model.tokenizer.decode(engine.requests.at(-1)?.promptTokenIds ?? []);
    expect(prompt).toContain(
      '{"type": "function", "function": {"name": "add", "description": "adds", "parameters": {"type": "object"}}}',
    );
  });

  it('passes on everything that bends an answer', async () => {
    engine.script = { tokenIds: await model.tokenizer.encode('one'), end: 'length' };
    await collect(
      generate({
        ...text('x'),
        logitBias: { 5: -3.5 },
        allowedTokenIds: [5, 6],
        minTokens: 1,
        logprobs: 2,
        promptLogprobs: 0,
        constraint: { kind: { $case: 'choice', value: { choices: ['a', 'b'] } } },
        priority: -1,
        cacheSalt: 's',
        timeoutMs: 5000,
      }),
    );
    expect(engine.requests.at(-1)).toMatchObject({
      controls: { logitBias: new Map([[5, -3.5]]), allowedTokenIds: [5, 6], minTokens: 1 },
      logprobs: { answer: 2, prompt: 0 },
      constraint: { kind: 'choice', choices: ['a', 'b'] },
      priority: -1,
      cacheSalt: 's',
      timeoutMs: 5000,
    });
  });

  it("passes the engine's failure on after what has been said", async () => {
    const end = new ExpertmeshError('unavailable', 'worker w1 is away');
    engine.script = { tokenIds: await model.tokenizer.encode('one'), end };
    await expect(collect(generate(text('x')))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('worker w1 is away') as string,
    });
  });

  it('ends the sequence of a client that leaves', async () => {
    engine.script = { tokenIds: await model.tokenizer.encode('one'), end: 'hang until aborted' };
    const leaving = new AbortController();
    const { hanging } = engine;
    const call = collect(generate(text('x'), leaving.signal));
    await hanging;
    leaving.abort();
    await expect(call).rejects.toMatchObject({ code: 'cancelled' });
    await expect.poll(() => engine.numOpenSequences).toBe(0);
  });

  it('makes the answer wait for a client that does not read', async () => {
    const [tokenId = 0] = await model.tokenizer.encode('a');
    const tokenIds = Array<number>(100_000).fill(tokenId);
    engine.script = { tokenIds, end: 'length' };
    engine.numTokensGiven = 0;
    // A bare HTTP/2 client: grpc-js's reads ahead without a bound.
    const session = connect(`http://127.0.0.1:${String(server.port)}`);
    const { path, requestSerialize } = inferenceService.generate;
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.end(grpcFrame(requestSerialize(GenerateRequest.fromPartial(text('x')))));
    await once(stream, 'response');
    let numGiven = -1;
    while (numGiven < engine.numTokensGiven) {
      numGiven = engine.numTokensGiven;
      for (let i = 0; i < 10; i++) await collect(generate({})).catch(() => undefined);
    }
    expect(engine.numOpenSequences).toBe(1);
    expect(numGiven).toBeLessThan(tokenIds.length / 2);
    session.destroy();
    await expect.poll(() => engine.numOpenSequences).toBe(0);
  });
});

describe('InferenceService', () => {
  it('tokenises texts and chats, and gives tokens back as text', async () => {
    const ofText = await client.unary(
      inferenceService.tokenize,
      TokenizeRequest.fromPartial({ prompt: { $case: 'text', value: 'one 🦜' } }),
      unaryOptions(),
    );
    expect(ofText).toEqual({ tokenIds: await model.tokenizer.encode('one 🦜'), maxModelLen: 2048 });
    const { tokenIds } = await client.unary(
      inferenceService.tokenize,
      TokenizeRequest.fromPartial({ prompt: { $case: 'chat', value: { messages: [user('hi')] } } }),
      unaryOptions(),
    );
    const detokenized = (skipSpecialTokens: boolean) =>
      client.unary(
        inferenceService.detokenize,
        DetokenizeRequest.fromPartial({ tokenIds, skipSpecialTokens }),
        unaryOptions(),
      );
    expect(await detokenized(false)).toEqual({ text: '<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n' });
    expect(await detokenized(true)).toEqual({ text: 'user\nhi\nassistant\n' });
  });

  it('refuses tokens that the model does not have', async () => {
    const request = DetokenizeRequest.fromPartial({ tokenIds: [999_999] });
    const refusal = client.unary(inferenceService.detokenize, request, unaryOptions());
    await expect(refusal).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});

/** Not compressed, length, message. */
function grpcFrame(message: Buffer): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, 5);
  return frame;
}
