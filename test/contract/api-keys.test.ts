import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AccessControl } from '@expertmesh/coordinator/access/access-control';
import { hashOfKey } from '@expertmesh/coordinator/access/api-key';
import { readKeyFile } from '@expertmesh/coordinator/access/watched-key-file';
import { withKeys } from '@expertmesh/coordinator/grpc/guarded-handlers';
import { inferenceHandlers } from '@expertmesh/coordinator/grpc/inference-service';
import { GenerateRequest, TokenizeRequest } from '@expertmesh/shared/gen/expertmesh/v1/inference';
import { keyHeaders, RpcClient } from '@expertmesh/shared/rpc/client';
import { systemClock } from '@expertmesh/shared/rpc/clock';
import { bindService, startServer } from '@expertmesh/shared/rpc/server';
import { inferenceService } from '@expertmesh/shared/rpc/services';
import { MODEL_ID, type ScriptedApi, startScriptedApi } from '@expertmesh/test-kit/http-api';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const KEYS = `
# name, key, limits
alice   alice-key-1234
bob     sha256:${hashOfKey('bob-key-1234').toString('hex')}   requests-per-minute=2
carol   carol-key-1234   tokens-per-minute=10
dave    dave-key-1234    concurrent-requests=1
erin    erin-key-1234    max-model-len=100
`;

let api: ScriptedApi;
let access: AccessControl;
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'keys-'));
  await writeFile(join(dir, 'keys'), KEYS);
  const keys = await readKeyFile(join(dir, 'keys'));
  access = new AccessControl({ keys, adminKey: 'admin-key-1234', clock: systemClock });
  api = await startScriptedApi({ access });
  await api.answerWith('ok');
});
afterAll(async () => {
  await api.close();
  await rm(dir, { recursive: true });
});

const question = { messages: [{ role: 'user' as const, content: 'hi' }] };

function ask(key: string | undefined, body: object = question, headers: Record<string, string> = {}) {
  return fetch(`${api.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...keyHeaders(key), ...headers },
    body: JSON.stringify(body),
  });
}

describe('a request', () => {
  it('without a key, or with one that is not known, is refused', async () => {
    for (const key of [undefined, 'wrong-key-1234', 'admin-key-1234']) {
      const response = await ask(key);
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toContain('Bearer');
      expect(await response.json()).toMatchObject({ error: { code: 'invalid_api_key', param: null } });
    }
    const client = new OpenAI({ baseURL: `${api.url}/v1`, apiKey: 'wrong-key-1234', maxRetries: 0 });
    await expect(client.models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
  });

  it('is served with a key, however it is sent', async () => {
    expect((await ask('alice-key-1234')).status).toBe(200);
    expect((await ask(undefined, question, { 'x-api-key': 'alice-key-1234' })).status).toBe(200);
    expect((await ask(undefined, question, { authorization: 'bearer alice-key-1234' })).status).toBe(200);
    const client = new OpenAI({ baseURL: `${api.url}/v1`, apiKey: 'alice-key-1234', maxRetries: 0 });
    expect((await client.models.list()).data).toHaveLength(1);
  });

  it("of Anthropic's dialect is refused in its form", async () => {
    const body = JSON.stringify({ model: MODEL_ID, max_tokens: 5, ...question });
    const headers = { 'content-type': 'application/json', 'x-api-key': 'wrong-key-1234' };
    const response = await fetch(`${api.url}/v1/messages`, { method: 'POST', headers, body });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ type: 'error', error: { type: 'authentication_error' } });
  });

  it('asks the engine for its tenant, whose prompts are kept apart', async () => {
    await ask('alice-key-1234', { ...question, cache_salt: 's' });
    expect(api.engine.requests.at(-1)).toMatchObject({ tenant: 'alice', cacheSalt: '["alice","s"]' });
    await ask('bob-key-1234', question);
    expect(api.engine.requests.at(-1)).toMatchObject({ tenant: 'bob', cacheSalt: '["bob",""]' });
  });

  it('counts for its key', async () => {
    const metricsOf = async (): Promise<string> =>
      (await fetch(`${api.url}/metrics`, { headers: keyHeaders('admin-key-1234') })).text();
    const countOf = (metrics: string): number =>
      Number(/expertmesh:key_tokens_total\{key="alice",kind="generation"\} (\d+)/.exec(metrics)?.[1] ?? 0);
    const before = countOf(await metricsOf());
    await ask('alice-key-1234');
    expect(countOf(await metricsOf()) - before).toBe(api.engine.script.tokenIds.length);
  });
});

describe('a key', () => {
  it('has so many requests a minute', async () => {
    const answers = [await ask('bob-key-1234'), await ask('bob-key-1234'), await ask('bob-key-1234')];
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.headers.get('x-ratelimit-limit-requests')).toBe('2');
    expect(refused?.headers.get('x-ratelimit-remaining-requests')).toBe('0');
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refused?.json()).toMatchObject({
      error: {
        type: 'rate_limit_error',
        code: 'rate_limit_exceeded',
        message: expect.stringContaining('bob') as string,
      },
    });
  });

  it('has so many tokens a minute, and what it overdraws is waited for', async () => {
    expect((await ask('carol-key-1234')).headers.get('x-ratelimit-limit-tokens')).toBe('10');
    const refused = await ask('carol-key-1234');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(1);
  });

  it('has so many requests at a time', async () => {
    const { script, hanging } = api.engine;
    api.engine.script = { tokenIds: [5], end: 'hang until aborted' };
    const client = new AbortController();
    const first = fetch(`${api.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...keyHeaders('dave-key-1234') },
      body: JSON.stringify(question),
      signal: client.signal,
    }).catch(() => undefined);
    await hanging;
    expect((await ask('dave-key-1234')).status).toBe(429);
    client.abort();
    await first;
    api.engine.script = script;
    await expect.poll(async () => (await ask('dave-key-1234')).status).toBe(200);
  });

  it('has a longest sequence', async () => {
    await ask('erin-key-1234');
    const { promptTokenIds = [], maxTokens } = api.engine.requests.at(-1) ?? {};
    expect(maxTokens).toBe(100 - promptTokenIds.length);
    const refused = await ask('erin-key-1234', { ...question, max_tokens: 100 });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ error: { code: 'context_length_exceeded' } });
  });

  it('that is taken away is refused from then on', async () => {
    expect((await ask('erin-key-1234')).status).toBe(200);
    access.setKeys((await readKeyFile(join(dir, 'keys'))).filter(({ name }) => name !== 'erin'));
    expect((await ask('erin-key-1234')).status).toBe(401);
  });
});

describe('what asks for no key of the model', () => {
  it.each(['/health', '/health/live', '/health/ready', '/ping', '/version', '/load', '/openapi.json'])(
    'is open: %s',
    async (path) => {
      expect((await fetch(api.url + path)).status).toBe(200);
    },
  );

  it.each(['/metrics', '/admin/v1/stats'])('asks for the admin key: %s', async (path) => {
    expect((await fetch(api.url + path)).status).toBe(401);
    expect((await fetch(api.url + path, { headers: keyHeaders('alice-key-1234') })).status).toBe(401);
    expect((await fetch(api.url + path, { headers: keyHeaders('admin-key-1234') })).status).toBe(200);
  });
});

describe('InferenceService', () => {
  it('is held to the same keys', async () => {
    const server = await startServer({
      host: '127.0.0.1',
      port: 0,
      portFlag: '--grpc-port',
      services: [bindService(inferenceService, withKeys(inferenceHandlers(api.model), access, systemClock))],
    });
    const address = `127.0.0.1:${String(server.port)}`;
    const generate = async (key: string | undefined): Promise<string> => {
      const client = new RpcClient(address, 'coordinator', systemClock, keyHeaders(key));
      const request = GenerateRequest.fromPartial({ prompt: { $case: 'text', value: 'hi' } });
      const options = { deadlineMs: 10_000, signal: new AbortController().signal };
      let text = '';
      try {
        for await (const part of client.serverStream(inferenceService.generate, request, options)) text += part.text;
        return text;
      } finally {
        client.close();
      }
    };
    const tokenize = async (key: string): Promise<readonly number[]> => {
      const client = new RpcClient(address, 'coordinator', systemClock, keyHeaders(key));
      const request = TokenizeRequest.fromPartial({ prompt: { $case: 'text', value: 'hi' } });
      const options = { deadlineMs: 10_000, signal: new AbortController().signal };
      const { tokenIds } = await client.unary(inferenceService.tokenize, request, options);
      client.close();
      return tokenIds;
    };
    await expect(generate(undefined)).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(generate('wrong-key-1234')).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(await generate('alice-key-1234')).toBe('ok');
    expect(api.engine.requests.at(-1)).toMatchObject({ tenant: 'alice' });
    await generate('dave-key-1234');
    expect(await generate('dave-key-1234')).toBe('ok');
    await tokenize('dave-key-1234');
    expect(await tokenize('dave-key-1234')).toEqual(await api.model.tokenizer.encode('hi'));
    await server.close(1000);
  });
});
