import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DelayProxy } from './delay-proxy.js';

const PROXY_HOST = '127.0.0.2';
/** A busy machine wakes the proxy late; an idle one does it within 0.1 ms. */
const LATE_MS = 1;

let echo: Server;
let port: number;
let proxy: DelayProxy;
beforeAll(async () => {
  echo = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => socket.pipe(socket));
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  port = (echo.address() as AddressInfo).port;
  const route = { from: { host: PROXY_HOST, port }, to: { host: '127.0.0.1', port } };
  proxy = await DelayProxy.start({ routes: [route], delayMs: 2 });
});
afterAll(async () => {
  await proxy.stop();
  echo.close();
});

describe('DelayProxy', () => {
  it.each([0.25, 0.5, 2])('makes every way %d ms longer, and not much more', async (delayMs) => {
    await proxy.setDelay(delayMs);
    const directMs = await medianRoundTripMs(await open('127.0.0.1'));
    const addedMs = (await medianRoundTripMs(await open())) - directMs;
    expect(addedMs).toBeGreaterThan(2 * delayMs - 0.1);
    expect(addedMs).toBeLessThan(2 * delayMs + LATE_MS);
  });

  it('keeps bytes and their order, and lets a lot be under way at a time', async () => {
    await proxy.setDelay(100);
    const sent = randomBytes(16 * 1024 * 1024);
    const socket = await open();
    const startMs = performance.now();
    const received = buffer(socket);
    socket.end(sent);
    expect(sha256(await received)).toBe(sha256(sent));
    // Piece after piece, this would take 0.1 s for each 64 KiB: 51 s for both ways.
    expect(performance.now() - startMs).toBeLessThan(3000);
  });

  it('gives on that a connection has ended', async () => {
    await proxy.setDelay(0.25);
    const accepted = once(echo, 'connection') as Promise<[Socket]>;
    const socket = await open();
    const [peer] = await accepted;
    const closed = once(peer, 'close');
    socket.resetAndDestroy();
    await closed;
  });
});

async function open(host = PROXY_HOST): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

async function medianRoundTripMs(socket: Socket): Promise<number> {
  const timesMs: number[] = [];
  for (let i = 0; i < 100; i++) {
    const startMs = performance.now();
    socket.write('x');
    await once(socket, 'data');
    timesMs.push(performance.now() - startMs);
  }
  socket.destroy();
  return timesMs.sort((a, b) => a - b)[50] ?? NaN;
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
