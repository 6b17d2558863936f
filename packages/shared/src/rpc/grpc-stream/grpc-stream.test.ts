import { connect, createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '@expertmesh/test-kit/until';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { MAX_MESSAGE_BYTES, MAX_PARTIAL_BYTES } from '../../limits/limits.js';
import { GRPC_PREFIX_BYTES, writeGrpcPrefix } from './grpc-frame.js';
import { GrpcStreamClient } from './grpc-stream-client.js';
import {
  MAX_CONNECTIONS,
  type ServedStream,
  type ServedStreamEvents,
  startGrpcStreamServer,
} from './grpc-stream-server.js';

const method = { path: '/test.v1.Test/Talk' };
const place = { host: '127.0.0.1', port: 0, portFlag: '--port', method };
function onError(error: Error): never {
  throw error;
}

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function frameOf(content: string): Buffer {
  const frame = Buffer.concat([Buffer.alloc(GRPC_PREFIX_BYTES), Buffer.from(content)]);
  writeGrpcPrefix(frame);
  return frame;
}

/** A server that notes what happens, and answers every message with itself unless `onMessage` does something else. */
async function startServer({ onMessage }: { onMessage?: (message: Buffer) => void } = {}) {
  const streams: ServedStream[] = [];
  const log: string[] = [];
  const accept = (stream: ServedStream): ServedStreamEvents => {
    streams.push(stream);
    return {
      onMessage: onMessage ?? ((message) => stream.send(frameOf(message.toString()))),
      onEnd: () => log.push('end'),
      onDrain: () => log.push('drain'),
      onClosed: () => log.push('closed'),
    };
  };
  const server = await startGrpcStreamServer({ ...place, accept, onError });
  cleanUps.push(() => server.close(0));
  return { server, streams, log, address: `127.0.0.1:${String(server.port)}` };
}

function open(address: string, path = method.path) {
  const received: string[] = [];
  const ends: string[] = [];
  let isReady = false;
  const client = new GrpcStreamClient(
    address,
    { path },
    {
      onReady: () => (isReady = true),
      onMessage: (message) => received.push(message.toString()),
      onEnd: (reason) => ends.push(reason),
    },
  );
  cleanUps.push(() => {
    client.close();
  });
  return { client, received, ends, isReady: () => isReady };
}

/** The prefix of a message of the largest size, of which nothing follows. */
function prefixOfLargest(): Buffer {
  const prefix = Buffer.alloc(GRPC_PREFIX_BYTES);
  prefix.writeUInt32BE(MAX_MESSAGE_BYTES, 1);
  return prefix;
}

function http2Frame(type: number, flags: number, streamId: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.byteLength, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** A connection's first bytes: settings, and a stream that is reset in the same packet. */
function openAndReset(path: string): Buffer {
  // POST and http by their numbers in HPACK's table, then authority (1 in it) and path (4), as they are.
  const headers = Buffer.concat([
    Buffer.of(0x83, 0x86, 1, 1),
    Buffer.from('h'),
    Buffer.of(4, path.length),
    Buffer.from(path),
  ]);
  return Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    http2Frame(4, 0, 0, Buffer.alloc(0)),
    http2Frame(1, 4, 1, headers),
    http2Frame(3, 0, 1, Buffer.of(0, 0, 0, 8)),
  ]);
}

describe('a gRPC stream', () => {
  it('carries messages both ways, also those that are sent before there is a connection', async () => {
    const { address } = await startServer();
    const { client, received, isReady } = open(address);
    client.send(frameOf('one'));
    await until(() => received.length === 1);
    expect(isReady()).toBe(true);
    const long = 'x'.repeat(5_000_000);
    for (const content of ['two', '', long]) client.send(frameOf(content));
    await until(() => received.length === 4);
    expect(received).toEqual(['one', 'two', '', long]);
  });

  it('tells the client what was wrong with a message, and ends', async () => {
    const { address, log } = await startServer({
      onMessage: () => {
        throw new ExpertmeshError('data_loss', 'not readable: 100 %');
      },
    });
    const { client, ends } = open(address);
    client.send(frameOf('?'));
    await until(() => ends.length === 1 && log.includes('closed'));
    expect(ends).toEqual(['not readable: 100 %']);
  });

  it('refuses a message over the bound', async () => {
    const { address } = await startServer();
    const { client, ends } = open(address);
    const prefix = Buffer.alloc(GRPC_PREFIX_BYTES);
    prefix.writeUInt32BE(MAX_MESSAGE_BYTES + 1, 1);
    client.send(prefix);
    await until(() => ends.length === 1);
    expect(ends[0]).toContain(`at most ${String(MAX_MESSAGE_BYTES)} are taken`);
  });

  it('goes on beside streams of others that claim more than there is, and send little', async () => {
    const { address } = await startServer();
    const own = open(address);
    const strangers = Array.from({ length: 2 * (MAX_PARTIAL_BYTES / MAX_MESSAGE_BYTES) }, () => open(address));
    for (const { client } of strangers) client.send(Buffer.concat([frameOf('begun'), prefixOfLargest()]));
    await until(() => strangers.every(({ received }) => received.length === 1));
    const long = 'x'.repeat(20_000_000);
    own.client.send(frameOf(long));
    await until(() => own.received.length === 1);
    expect([own.ends, ...strangers.map(({ ends }) => ends)].flat()).toEqual([]);
  });

  it('ends for a server whose peer resets it in the packet that opens it, and others go on', async () => {
    const { server, streams, log, address } = await startServer();
    const socket = connect(server.port, '127.0.0.1');
    cleanUps.push(() => {
      socket.destroy();
    });
    socket.write(openAndReset(method.path));
    await until(() => log.includes('closed'));
    expect(streams.map(({ isOpen }) => isOpen)).toEqual([false]);
    const { client, received } = open(address);
    client.send(frameOf('one'));
    await until(() => received.length === 1);
  });

  it('gets its place from a connection that does nothing with it', async () => {
    const { server, address } = await startServer();
    const used = open(address);
    used.client.send(frameOf('one'));
    await until(() => used.received.length === 1);
    const sockets = Array.from({ length: MAX_CONNECTIONS - 1 }, () => connect(server.port, '127.0.0.1'));
    cleanUps.push(() => {
      for (const socket of sockets) socket.destroy();
    });
    let [numServed, numClosed] = [0, 0];
    for (const socket of sockets) {
      socket.once('data', () => numServed++);
      socket.once('close', () => numClosed++);
      socket.on('error', () => undefined);
    }
    await until(() => numServed === MAX_CONNECTIONS - 1);
    const next = open(address);
    next.client.send(frameOf('two'));
    await until(() => next.received.length === 1);
    await until(() => numClosed === 1);
    used.client.send(frameOf('three'));
    await until(() => used.received.length === 2);
  });

  it('says that there is no such method', async () => {
    const { address, streams } = await startServer();
    const { ends } = open(address, '/test.v1.Test/Sing');
    await until(() => ends.length === 1);
    expect(ends).toEqual(['there is no method /test.v1.Test/Sing here']);
    expect(streams).toEqual([]);
  });

  it('ends for the client when the server ends it, after what was sent', async () => {
    const { address, streams } = await startServer();
    const { client, received, ends } = open(address);
    client.send(frameOf('one'));
    await until(() => received.length === 1);
    streams[0]?.send(frameOf('two'));
    streams[0]?.end();
    await until(() => ends.length === 1);
    expect(received).toEqual(['one', 'two']);
    expect(ends).toEqual(['it has closed the stream']);
  });

  it('ends for the server when the client is gone, and its client hears nothing of its own close', async () => {
    const { address, streams, log } = await startServer();
    const { client, received, ends } = open(address);
    client.send(frameOf('one'));
    await until(() => received.length === 1);
    client.close();
    await until(() => log.includes('closed'));
    expect(streams[0]?.isOpen).toBe(false);
    expect(ends).toEqual([]);
  });

  it('is cut at the deadline of the server that closes', async () => {
    const { server, address } = await startServer();
    const { client, received, ends } = open(address);
    client.send(frameOf('one'));
    await until(() => received.length === 1);
    await server.close(20);
    await until(() => ends.length === 1);
  });

  it('does not read on while it is paused', async () => {
    const { address, streams } = await startServer();
    const { client, received } = open(address);
    client.send(frameOf('one'));
    await until(() => received.length === 1);
    streams[0]?.pause();
    client.send(frameOf('two'));
    client.send(frameOf('three'));
    streams[0]?.send(frameOf('between'));
    await until(() => received.length === 2);
    streams[0]?.resume();
    await until(() => received.length === 4);
    expect(received).toEqual(['one', 'between', 'two', 'three']);
  });

  it('says why there is no connection', async () => {
    const { server, address } = await startServer();
    await server.close(0);
    const { ends } = open(address);
    await until(() => ends.length === 1);
    expect(ends[0]).toContain('ECONNREFUSED');
  });

  it.each(['[fe80::1%eth0]:9100', 'worker:99999'])(
    'says of %s that it is no address, after the constructor',
    async (address) => {
      const { client, ends } = open(address);
      client.send(frameOf('one'));
      expect(ends).toEqual([]);
      await until(() => ends.length === 1);
      expect(ends[0]).toContain(`cannot connect to ${address}: `);
    },
  );

  it('ends when the other side speaks something else', async () => {
    const other = createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => void other.close());
    const { ends, isReady } = open(`127.0.0.1:${String((other.address() as AddressInfo).port)}`);
    await until(() => ends.length === 1);
    expect(isReady()).toBe(false);
  });

  it('needs a port that is free', async () => {
    const { server } = await startServer();
    const accept = (): never => {
      throw new Error('nobody connects');
    };
    const again = startGrpcStreamServer({ ...place, port: server.port, accept, onError });
    await expect(again).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringContaining('another program uses this port') as string,
    });
  });
});
