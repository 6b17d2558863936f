import { request } from 'node:http';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ScriptedApi, startScriptedApi } from '@expertmesh/test-kit/http-api';

let api: ScriptedApi;
beforeAll(async () => {
  api = await startScriptedApi();
  await api.answerWith('ok');
});
afterAll(() => api.close());

interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

async function refusalOf(path: string, body: unknown): Promise<ErrorBody['error'] & { status: number }> {
  const response = await api.post(path, body);
  const { error } = (await response.json()) as ErrorBody;
  return { status: response.status, ...error };
}

describe('what is no request', () => {
  it('is refused when it is not JSON', async () => {
    expect(await refusalOf('/v1/chat/completions', '{"messages": ')).toMatchObject({
      status: 400,
      type: 'invalid_request_error',
      code: 'invalid_json',
    });
  });

  it('is refused when it is no object', async () => {
    expect(await refusalOf('/v1/chat/completions', '[1]')).toMatchObject({
      status: 400,
      code: 'invalid_value',
      message: expect.stringContaining('The request body') as string,
    });
  });

  it.each(['application/xml', 'text/plain'])('is refused, with the remedy, when it is %s', async (contentType) => {
    const response = await fetch(`${api.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': contentType },
      body: '{"prompt": "x"}',
    });
    expect(response.status).toBe(415);
    expect(((await response.json()) as ErrorBody).error).toMatchObject({
      type: 'invalid_request_error',
      code: 'unsupported_media_type',
      message: expect.stringContaining('content-type: application/json') as string,
    });
  });

  it('is refused when the URL cannot be decoded', async () => {
    const response = await fetch(`${api.url}/v1/models/%zz`);
    expect(response.status).toBe(400);
    expect(((await response.json()) as ErrorBody).error.type).toBe('invalid_request_error');
  });

  it('is refused when it is too large', async () => {
    expect(await refusalOf('/v1/completions', { prompt: 'x'.repeat(500_000) })).toMatchObject({
      status: 413,
      code: 'request_too_large',
    });
  });

  it('is refused when there is no such route', async () => {
    expect(await refusalOf('/v1/embeddings', {})).toMatchObject({ status: 404, code: 'unknown_url' });
  });

  it('is refused when the route takes another method', async () => {
    const response = await fetch(`${api.url}/v1/chat/completions`);
    expect(response.status).toBe(405);
    expect(((await response.json()) as ErrorBody).error.message).toContain('takes POST');
  });
});

describe('what the cluster cannot do for the moment', () => {
  it('is to be sent again later, and is no fault of the request', async () => {
    const refusing = await startScriptedApi();
    const reason = 'worker w1: placement version 3 is not served, version 4 is';
    refusing.engine.script = { tokenIds: [], end: new ExpertmeshError('failed_precondition', reason) };
    const response = await refusing.post('/v1/completions', { prompt: 'x' });
    await refusing.close();
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toMatchObject({ error: { type: 'server_error', message: reason } });
  });
});

describe('request ids', () => {
  const idFor = async (given: string): Promise<string | null> =>
    (await fetch(`${api.url}/v1/models`, { headers: { 'x-request-id': given } })).headers.get('x-request-id');

  it("are the client's own when they are harmless", async () => {
    expect(await idFor('job-17.a')).toBe('job-17.a');
    expect(await idFor('a b')).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('a body that never comes to its end', () => {
  it('does not reach the engine', async () => {
    const before = api.engine.requests.length;
    const { port } = api.server;
    const call = request({
      port,
      method: 'POST',
      path: '/v1/completions',
      headers: { 'content-type': 'application/json' },
    });
    call.on('error', () => undefined);
    call.write('{"prompt": "x');
    await new Promise((resolve) => call.on('socket', (socket) => socket.once('connect', resolve)));
    call.destroy();
    expect((await fetch(`${api.url}/health/live`)).status).toBe(200);
    expect(api.engine.requests.length).toBe(before);
  });
});
