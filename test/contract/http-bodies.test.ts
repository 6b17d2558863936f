import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { type ScriptedApi, startScriptedApi } from '@expertmesh/test-kit/http-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let api: ScriptedApi;
beforeAll(async () => {
  api = await startScriptedApi();
  await api.answerWith('ok');
});
afterAll(() => api.close());

const question = { messages: [{ role: 'user', content: 'hi' }] };
const CHAT = '/v1/chat/completions';

interface ErrorBody {
  readonly error: { readonly message: string; readonly param: string | null; readonly code: string };
}

const errorOf = async (response: Response): Promise<ErrorBody['error']> => ((await response.json()) as ErrorBody).error;

function postEncoded(body: Uint8Array, encoding: string, contentType = 'application/json'): Promise<Response> {
  return fetch(api.url + CHAT, {
    method: 'POST',
    headers: { 'content-type': contentType, 'content-encoding': encoding },
    body,
  });
}

/** A zstd frame whose blocks are as they are, or one byte again and again. */
function zstdFrame(blocks: readonly (Buffer | { readonly byte: number; readonly times: number })[]): Buffer {
  const parts = blocks.map((block, index) => {
    const isLast = index === blocks.length - 1 ? 1 : 0;
    const header = Buffer.alloc(3);
    if (Buffer.isBuffer(block)) {
      header.writeUIntLE((block.length << 3) | isLast, 0, 3);
      return Buffer.concat([header, block]);
    }
    header.writeUIntLE((block.times << 3) | (1 << 1) | isLast, 0, 3);
    return Buffer.concat([header, Buffer.of(block.byte)]);
  });
  // Magic number, a descriptor without content size, and a window of 128 KiB.
  return Buffer.concat([Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 7 << 3), ...parts]);
}

const ZSTD_SAMPLE = 'KLUv/QRonQEA4oIKEbDrp10/JBKSLPYYpYEmmHMCbzwDdIxmeZZaHLy+zegnXXYCvTdk98ouAQA6UVcGKPSGkw==';

it.each([
  ['"' + '\\"'.repeat(180_000), 400],
  [JSON.stringify({ messages: [{ role: 'user', content: 'x"\\[{'.repeat(20) }] }), 200],
  ['[{"a":'.repeat(65), 400],
])('of whatever text is looked through in one go', async (body, status) => {
  const startedAt = performance.now();
  expect((await api.post(CHAT, body)).status).toBe(status);
  expect(performance.now() - startedAt).toBeLessThan(5000);
});

describe('a body', () => {
  const text = Buffer.from(JSON.stringify(question));

  it.each([
    ['gzip', gzipSync(text)],
    ['x-gzip', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['br', brotliCompressSync(text)],
    ['zstd', zstdFrame([text.subarray(0, 9), text.subarray(9)])],
    // What `zstd -19` makes of a longer one.
    ['zstd', Buffer.from(ZSTD_SAMPLE, 'base64')],
    ['identity', text],
    ['GZIP', gzipSync(text)],
  ])('is decoded from %s', async (encoding, body) => {
    const response = await postEncoded(body, encoding);
    expect(response.status).toBe(200);
  });

  it('in an unknown encoding is refused with the encoding', async () => {
    const response = await postEncoded(text, 'compress');
    expect(response.status).toBe(415);
    expect(await errorOf(response)).toMatchObject({
      code: 'unsupported_encoding',
      message: expect.stringContaining('compress') as string,
    });
  });

  it.each(['gzip', 'deflate', 'br', 'zstd'])('that is not in its encoding is refused: %s', async (encoding) => {
    const response = await postEncoded(text, encoding);
    expect(response.status).toBe(400);
    expect((await errorOf(response)).message).toContain(`cannot be decoded as ${encoding}`);
  });

  it.each([
    ['gzip', gzipSync(Buffer.alloc(100_000_000, 32))],
    ['br', brotliCompressSync(Buffer.alloc(20_000_000, 32))],
  ])('that unpacks to more than the limit is refused: %s', async (encoding, bomb) => {
    const response = await postEncoded(bomb, encoding);
    expect(response.status).toBe(413);
    expect(await errorOf(response)).toMatchObject({ code: 'request_too_large' });
  });

  it('that unpacks to gigabytes in zstd is refused, and takes no memory', async () => {
    const before = process.memoryUsage().rss;
    const bomb = zstdFrame(Array.from({ length: 20_000 }, () => ({ byte: 32, times: 131_072 })));
    const response = await postEncoded(bomb, 'zstd');
    expect(response.status).toBe(400);
    expect((await errorOf(response)).message).toContain('longer than');
    expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
  });

  it.each([
    ['application/json; charset=utf-8', 200],
    ['application/json;charset="UTF-8"', 200],
    ['application/json; charset=utf-16', 415],
    ['application/x-www-form-urlencoded', 415],
  ])('of the type %s: %d', async (contentType, status) => {
    expect((await postEncoded(text, 'identity', contentType)).status).toBe(status);
  });

  it('without a type, or empty, is refused with what to send', async () => {
    const untyped = await fetch(api.url + CHAT, { method: 'POST', body: text });
    expect(untyped.status).toBe(415);
    expect((await errorOf(untyped)).message).toContain('content-type: application/json');
    const empty = await api.post(CHAT, '  ');
    expect(empty.status).toBe(400);
    expect((await errorOf(empty)).message).toContain('empty');
  });

  it('that is nested without end is refused', async () => {
    const response = await api.post(CHAT, `{"messages":${'['.repeat(50_000)}${']'.repeat(50_000)}}`);
    expect(response.status).toBe(400);
    expect((await errorOf(response)).message).toContain('nested');
    expect((await api.post(CHAT, { messages: [{ role: 'user', content: '{'.repeat(5000) }] })).status).not.toBe(500);
  });
});
