import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { MODEL_ID, type ScriptedApi, startScriptedApi } from '@expertmesh/test-kit/http-api';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

let api: ScriptedApi;
beforeAll(async () => {
  api = await startScriptedApi({
    aliases: ['other/name'],
    corsOrigins: ['https://chat.example.org'],
    unknownFields: 'ignore',
  });
  await api.answerWith('ok');
});
afterAll(() => api.close());

const question = { messages: [{ role: 'user', content: 'hi' }] };
const CHAT = '/v1/chat/completions';

interface ErrorBody {
  readonly error: { readonly message: string; readonly param: string | null; readonly code: string };
}

const errorOf = async (response: Response): Promise<ErrorBody['error']> => ((await response.json()) as ErrorBody).error;

describe('a URL', () => {
  it.each(['/v1/models/', '//v1/models', '/v1//models/?x=1', '/health/', `/v1/models/${MODEL_ID}/`])(
    'with a slash too many is served: %s',
    async (path) => {
      expect((await fetch(api.url + path)).status).toBe(200);
    },
  );

  it.each(['/v1//chat/completions', '/v1/chat/completions/'])('is served for POST, too: %s', async (path) => {
    expect((await api.post(path, question)).status).toBe(200);
  });

  it('tells what it takes when the method is another', async () => {
    const response = await fetch(api.url + CHAT);
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST, OPTIONS');
    const models = await fetch(`${api.url}/v1/models/x/y`, { method: 'DELETE' });
    expect(models.headers.get('allow')).toBe('GET, HEAD, OPTIONS');
  });

  it('has OPTIONS', async () => {
    const response = await fetch(api.url + CHAT, { method: 'OPTIONS' });
    expect(response.status).toBe(204);
    expect(response.headers.get('allow')).toBe('POST, OPTIONS');
    expect((await fetch(`${api.url}/nothing`, { method: 'OPTIONS' })).status).toBe(404);
  });
});

/** fetch keeps some headers for itself. */
function raw(method: string, path: string, headers: Record<string, string>) {
  return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]> }>((resolve, reject) => {
    const call = httpRequest({ port: api.server.port, method, path, headers }, (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, headers: response.headers });
    });
    call.on('error', reject).end();
  });
}

describe('a page of another origin', () => {
  const preflight = {
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,content-type',
  };

  it('may call when its origin is allowed', async () => {
    const { status, headers } = await raw('OPTIONS', CHAT, { origin: 'https://chat.example.org', ...preflight });
    expect(status).toBe(204);
    expect(headers).toMatchObject({
      'access-control-allow-origin': 'https://chat.example.org',
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'authorization,content-type',
      vary: 'Origin',
    });
    const models = await raw('GET', '/v1/models', { origin: 'https://chat.example.org' });
    expect(models.headers['access-control-allow-origin']).toBe('https://chat.example.org');
    expect(models.headers['access-control-expose-headers']).toContain('x-request-id');
  });

  it('may not when it is another, and never what operators do', async () => {
    const other = await raw('OPTIONS', CHAT, { origin: 'https://evil.example.org', ...preflight });
    expect(other.headers['access-control-allow-origin']).toBeUndefined();
    for (const path of ['/admin/v1/stats', '/%61dmin/v1/stats', '//admin/v1/stats', '/metrics']) {
      const { status, headers } = await raw('GET', path, { origin: 'https://chat.example.org' });
      expect(status).toBe(200);
      expect(headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  it('may not by default, and may from everywhere with *', async () => {
    const closed = await startScriptedApi();
    const open = await startScriptedApi({ corsOrigins: ['*'] });
    const headers = { origin: 'https://anywhere.example.org' };
    const fromClosed = await fetch(`${closed.url}/v1/models`, { headers });
    const fromOpen = await fetch(`${open.url}/v1/models`, { headers });
    await Promise.all([closed.close(), open.close()]);
    expect(fromClosed.headers.get('access-control-allow-origin')).toBeNull();
    expect(fromOpen.headers.get('access-control-allow-origin')).toBe('*');
  });
});

describe('names of the model', () => {
  it.each([
    [undefined, MODEL_ID],
    ['', MODEL_ID],
    [MODEL_ID, MODEL_ID],
    ['other/name', 'other/name'],
  ])('asked for as %j it answers as %s', async (model, expected) => {
    const response = await api.post(CHAT, { ...question, model });
    expect(await response.json()).toMatchObject({ model: expected });
  });

  it('are listed', async () => {
    const { data } = (await (await fetch(`${api.url}/v1/models`)).json()) as { data: { id: string; root: string }[] };
    expect(data.map(({ id }) => id)).toEqual([MODEL_ID, 'other/name']);
    expect(await (await fetch(`${api.url}/v1/models/other/name`)).json()).toMatchObject({ root: MODEL_ID });
  });
});

describe('unknown fields', () => {
  it('at the top are ignored where the operator wants that, wrong ones are not', async () => {
    expect((await api.post(CHAT, { ...question, foo: 1 })).status).toBe(200);
    const wrong = await api.post(CHAT, { ...question, foo: 1, temperature: 'hot' });
    expect(await errorOf(wrong)).toMatchObject({ param: 'temperature' });
  });
});

describe('for machines', () => {
  it.each(['/health', '/ping', '/health/ready'])('%s tells whether it is ready', async (path) => {
    expect((await fetch(api.url + path)).status).toBe(200);
    Object.assign(api.readiness, { ready: false });
    expect((await fetch(api.url + path)).status).toBe(503);
    Object.assign(api.readiness, { ready: true });
  });

  it('/version has the version', async () => {
    expect(await (await fetch(`${api.url}/version`)).json()).toEqual({ version: '1.2.3' });
  });

  it('/load counts what is being answered', async () => {
    const loadOf = async () => (await (await fetch(`${api.url}/load`)).json()) as { server_load: number };
    expect(await loadOf()).toEqual({ server_load: 0 });
    const { script, hanging } = api.engine;
    api.engine.script = { tokenIds: [5], end: 'hang until aborted' };
    const client = new AbortController();
    const answer = fetch(api.url + CHAT, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(question),
      signal: client.signal,
    }).catch(() => undefined);
    await hanging;
    expect(await loadOf()).toEqual({ server_load: 1 });
    client.abort();
    await answer;
    await expect.poll(async () => (await loadOf()).server_load).toBe(0);
    api.engine.script = script;
  });
});

describe('requests that are sent one behind the other over a connection', () => {
  it('all end with it', async () => {
    const { script } = api.engine;
    const numBefore = api.engine.requests.length;
    api.engine.script = { tokenIds: [5], end: 'hang until aborted' };
    const body = JSON.stringify(question);
    const one =
      `POST ${CHAT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n` +
      `content-length: ${String(body.length)}\r\n\r\n${body}`;
    const socket = connect(api.server.port, '127.0.0.1', () => socket.write(one.repeat(3)));
    await expect.poll(() => api.engine.requests.length - numBefore).toBe(3);
    socket.destroy();
    const loadOf = async () => (await (await fetch(`${api.url}/load`)).json()) as { server_load: number };
    await expect.poll(loadOf).toEqual({ server_load: 0 });
    api.engine.script = script;
  });
});

describe('a stream that has nothing to tell yet', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  async function slowAnswer(end: 'stop' | ExpertmeshError) {
    let release = (): void => undefined;
    const after = new Promise<void>((resolve) => {
      release = resolve;
    });
    const tokenIds = await api.model.tokenizer.encode('late<|im_end|>');
    api.engine.script = { tokenIds: end === 'stop' ? tokenIds : [], end, after };
    return release;
  }

  it('has its status line and headers at once, and a comment every 10 s', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const release = await slowAnswer('stop');
    const response = await api.post(CHAT, { ...question, stream: true });
    expect(response.status).toBe(200);
    const reader = response.body?.getReader();
    const read = async () => Buffer.from((await reader?.read())?.value ?? []).toString();
    expect(await read()).toBe(': keep-alive\n\n');
    vi.advanceTimersByTime(10_000);
    expect(await read()).toBe(': keep-alive\n\n');
    release();
    let rest = '';
    for (let piece = await read(); piece !== ''; piece = await read()) rest += piece;
    expect(rest).toContain('late');
    expect(rest).toContain('[DONE]');
    expect(rest).not.toContain('keep-alive');
  });

  it('tells of a failure in its last event', async () => {
    const release = await slowAnswer(new ExpertmeshError('unavailable', 'worker w1 is away'));
    const response = await api.post(CHAT, { ...question, stream: true });
    release();
    const body = await response.text();
    expect(body).toMatch(/^: keep-alive\n\ndata: \{"error":\{"message":"worker w1 is away".*\n\n$/);
  });
});
