import { once } from 'node:events';
import { connect } from 'node:http2';
import { loadServedModel } from '@expertmesh/coordinator/generation/served-model';
import { inferenceHandlers } from '@expertmesh/coordinator/grpc/inference-service';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { GenerateRequest, type GenerateResponse } from '@expertmesh/shared/gen/expertmesh/v1/inference';
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

const text = (value: string): Partial<GenerateRequest> => ({ prompt: { $case: 'text', value } });

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
  ])('refuses %j', async (request, code) => {
    await expect(collect(generate(request))).rejects.toMatchObject({ code });
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

/** Not compressed, length, message. */
function grpcFrame(message: Buffer): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, 5);
  return frame;
}
