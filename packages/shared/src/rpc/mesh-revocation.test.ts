import { readFileSync } from 'node:fs';
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MeshCertificates } from '@expertmesh/test-kit/mesh-certificates';
import { rawCall } from '@expertmesh/test-kit/raw-call';
import { GetStatsRequest, LoadProgress, LoadRequest, WorkerStats } from '../gen/expertmesh/v1/worker.js';
import { DAY_MS } from '../transport-security/expiry.js';
import { type Role } from '../transport-security/mesh-identity.js';
import { TransportSecurity } from '../transport-security/transport-security.js';
import { RpcClient } from './client.js';
import { GrpcStreamClient } from './grpc-stream/grpc-stream-client.js';
import { type ServedStream, startGrpcStreamServer } from './grpc-stream/grpc-stream-server.js';
import { bindService, startServer } from './server.js';
import { expertService, workerService } from './services.js';

const PLACE = { host: '127.0.0.1', port: 0, portFlag: '--port' };
const GET_STATS = workerService.getStats.path;
const DISPATCH = expertService.dispatch.path;
/** Of a message of one byte. */
const PREFIX = Buffer.of(0, 0, 0, 0, 1);

let mesh: MeshCertificates;
let logged: string[];
const cleanUps: (() => unknown)[] = [];
beforeEach(() => {
  mesh = new MeshCertificates();
  mesh.revoke();
  logged = [];
});
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const filesOf = (role: Role, name: string) => ({ ...mesh.issue(role, name), crl: mesh.crl });

function open(role: Role, name: string = role): TransportSecurity {
  const tell = (fields: object | string, line?: string) => logged.push(line ?? JSON.stringify(fields));
  const files = filesOf(role, name);
  const security = new TransportSecurity(files, { info: tell, warn: tell, error: tell });
  cleanUps.push(() => {
    security.close();
  });
  return security;
}

/** Has every process here read its files again. */
async function reread(...securities: readonly TransportSecurity[]): Promise<void> {
  const done = Promise.all(securities.map((security) => new Promise((read) => security.onChange(read))));
  process.emit('SIGHUP', 'SIGHUP');
  await done;
}

/** A worker's two ports; `load` answers once and goes on. */
async function startWorker(security: TransportSecurity) {
  const nothing = (): void => undefined;
  const service = bindService(workerService, {
    getStats: (_call, callback) => {
      callback(null, WorkerStats.create({ bootId: 'b1' }));
    },
    load: (call) => {
      call.write(LoadProgress.create({ loadedLayers: 1 }));
    },
    assign: nothing,
    unload: nothing,
    resetEpoch: nothing,
    drain: nothing,
  });
  const control = await startServer({ ...PLACE, services: [service], security });
  const accept = (stream: ServedStream) => ({
    onMessage: (message: Buffer) => void stream.send(Buffer.concat([PREFIX, message])),
    onEnd: nothing,
    onDrain: nothing,
    onClosed: nothing,
  });
  const options = { ...PLACE, method: expertService.dispatch, accept, onError: nothing, security };
  const data = await startGrpcStreamServer(options);
  cleanUps.push(() => Promise.all([control.close(0), data.close(0)]));
  return { controlPort: control.port, dataPort: data.port };
}

function openClient(port: number, security: TransportSecurity): RpcClient {
  const secure = { security, serverRoles: ['worker'] as const };
  const client = new RpcClient(`127.0.0.1:${String(port)}`, 'it', undefined, {}, secure);
  cleanUps.push(() => {
    client.close();
  });
  return client;
}

const limits = () => ({ deadlineMs: 5_000, signal: new AbortController().signal });
const getStats = (client: RpcClient) => client.unary(workerService.getStats, GetStatsRequest.create(), limits());

/** A call that lasts; what it is told, and what ends it. */
function openLoad(client: RpcClient) {
  const told: string[] = [];
  void (async () => {
    try {
      const request = LoadRequest.create();
      for await (const { loadedLayers } of client.serverStream(workerService.load, request, {
        ...limits(),
        deadlineMs: 60_000,
      }))
        told.push(`layers ${String(loadedLayers)}`);
      told.push('done');
    } catch (thrown) {
      told.push(String(thrown));
    }
  })();
  return told;
}

function openStream(port: number, security: TransportSecurity) {
  const told: string[] = [];
  const events = {
    onReady: () => told.push('ready'),
    onMessage: (message: Buffer) => told.push(`message ${message.toString()}`),
    onEnd: (reason: string) => told.push(`end: ${reason}`),
  };
  const secure = { security, serverRoles: ['worker'] as const };
  const client = new GrpcStreamClient(`127.0.0.1:${String(port)}`, expertService.dispatch, events, secure);
  cleanUps.push(() => {
    client.close();
  });
  return { client, told };
}

describe('a caller whose certificate is revoked', () => {
  it('is refused on both ports of a worker, and others go on', async () => {
    const [bad, good] = [filesOf('coordinator', 'bad'), filesOf('coordinator', 'good')];
    mesh.revoke(bad.cert);
    const { controlPort, dataPort } = await startWorker(open('worker'));
    for (const [port, path] of [
      [controlPort, GET_STATS],
      [dataPort, DISPATCH],
    ] as const) {
      expect(await rawCall(port, path, bad)).toMatchObject({ kind: 'no connection' });
      expect(await rawCall(port, path, good)).not.toMatchObject({ kind: 'no connection' });
    }
  });

  it('has its open connections closed when the list comes, and gets no new ones; those of others go on', async () => {
    const worker = open('worker');
    const { controlPort, dataPort } = await startWorker(worker);
    const [bad, good] = [open('coordinator', 'bad'), open('coordinator', 'good')];
    const [badLoad, goodLoad] = [bad, good].map((security) => openLoad(openClient(controlPort, security)));
    const [badStream, goodStream] = [bad, good].map((security) => openStream(dataPort, security));
    await expect
      .poll(() => [badLoad, goodLoad, badStream?.told, goodStream?.told])
      .toEqual([['layers 1'], ['layers 1'], ['ready'], ['ready']]);
    mesh.revoke(bad.files.cert);
    await reread(worker);
    await expect.poll(() => [badLoad?.length, badStream?.told.length]).toEqual([2, 2]);
    expect(badStream?.told[1]).toMatch(/^end: /);
    expect(logged.filter((line) => line === 'a connection is closed')).toHaveLength(2);
    goodStream?.client.send(Buffer.concat([PREFIX, Buffer.from('x')]));
    await expect.poll(() => goodStream?.told).toEqual(['ready', 'message x']);
    expect(goodLoad).toEqual(['layers 1']);
    await expect(getStats(openClient(controlPort, bad))).rejects.toMatchObject({ code: 'unavailable' });
    expect(await getStats(openClient(controlPort, good))).toMatchObject({ bootId: 'b1' });
    expect(await rawCall(dataPort, DISPATCH, bad.files)).toMatchObject({ kind: 'no connection' });
  });

  it('does not come in by a session of TLS that was begun before', async () => {
    const worker = open('worker');
    const { controlPort, dataPort } = await startWorker(worker);
    const files = filesOf('coordinator', 'bad');
    const secureContext = createSecureContext({ cert: readFileSync(files.cert), key: readFileSync(files.key) });
    const sessions = new Map<number, Buffer>();
    for (const port of [controlPort, dataPort]) {
      const socket = await handshake(port, { secureContext });
      sessions.set(port, await new Promise((resolve) => socket.once('session', resolve)));
      socket.destroy();
    }
    mesh.revoke(files.cert);
    await reread(worker);
    for (const [port, path] of [
      [controlPort, GET_STATS],
      [dataPort, DISPATCH],
    ] as const) {
      const session = sessions.get(port) ?? expect.fail('no session');
      const status = await resumedCall(port, path, { secureContext, session });
      expect(['7', 'closed'], `${path}: ${status}`).toContain(status);
    }
  });
});

describe('a worker whose certificate is revoked', () => {
  it('is spoken with by nobody, and what was open is closed; its caller says why', async () => {
    const { controlPort, dataPort } = await startWorker(open('worker', 'bad'));
    const coordinator = open('coordinator');
    const [load, stream] = [openLoad(openClient(controlPort, coordinator)), openStream(dataPort, coordinator)];
    await expect.poll(() => [load, stream.told]).toEqual([['layers 1'], ['ready']]);
    mesh.revoke(`${mesh.dir}/bad.crt`);
    await reread(coordinator);
    await expect.poll(() => [load.length, stream.told.length]).toEqual([2, 2]);
    expect(stream.told[1]).toMatch(/end: .*"CN=bad", serial [0-9A-F]+, was revoked on .*ca\.crl/);
    await expect(getStats(openClient(controlPort, coordinator))).rejects.toThrow(
      /certificate revoked \(--tls-crl .*ca\.crl\): the other side needs another certificate/,
    );
    const again = openStream(dataPort, coordinator);
    await expect
      .poll(() => again.told)
      .toEqual([expect.stringMatching(/^end: certificate revoked \(--tls-crl .*needs another certificate/)]);
    expect(logged).toContain('a connection is closed');
  });

  it('says itself that others refuse it', async () => {
    const worker = open('worker', 'bad');
    mesh.revoke(worker.files.cert);
    await reread(worker);
    expect(logged.at(-1)).toMatch(/the own certificate [0-9A-F]+ was revoked on .*certs issue/);
  });
});

describe('a list that is over', () => {
  it('is not taken, and the one before goes on to hold; the log says what is wrong', async () => {
    const bad = filesOf('coordinator', 'bad');
    mesh.revoke(bad.cert);
    const { controlPort } = await startWorker(open('worker'));
    mesh.writeList(Date.now() - DAY_MS);
    process.emit('SIGHUP', 'SIGHUP');
    await expect
      .poll(() => logged.at(-1))
      .toMatch(/certificates stay as they were: .*ca\.crl: the list of .* ended on/);
    expect(await rawCall(controlPort, GET_STATS, bad)).toMatchObject({ kind: 'no connection' });
    expect(await getStats(openClient(controlPort, withoutList('good')))).toMatchObject({ bootId: 'b1' });
  });

  it('ends while it is used: new connections are refused, open ones go on, and the log says so then', async () => {
    mesh.writeList(Math.ceil(Date.now() / 1000) * 1000 + 4_000);
    const coordinator = open('coordinator');
    const { controlPort, dataPort } = await startWorker(open('worker'));
    const stream = openStream(dataPort, coordinator);
    await expect.poll(() => stream.told).toEqual(['ready']);
    await expect
      .poll(() => logged, { timeout: 15_000 })
      .toContainEqual(expect.stringMatching(/ca\.crl ended on .*: no new connection can be made until the newest/));
    await expect(getStats(openClient(controlPort, coordinator))).rejects.toThrow(
      /CRL has expired \(--tls-crl .*ca\.crl\): put the newest list of the authority there/,
    );
    stream.client.send(Buffer.concat([PREFIX, Buffer.from('x')]));
    await expect.poll(() => stream.told).toEqual(['ready', 'message x']);
  });
});

/** A coordinator that asks for no list. */
function withoutList(name: string): TransportSecurity {
  const security = new TransportSecurity(mesh.issue('coordinator', name), undefined);
  cleanUps.push(() => {
    security.close();
  });
  return security;
}

interface ResumeOptions {
  readonly secureContext: SecureContext;
  readonly session?: Buffer;
}

function handshake(port: number, options: ResumeOptions): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'], ...options });
  return new Promise((resolve, reject) => {
    socket.once('error', reject).once('secureConnect', () => {
      resolve(socket);
    });
  });
}

/** The status of gRPC that a call over a resumed session ends with, or `closed`. */
async function resumedCall(port: number, path: string, options: ResumeOptions): Promise<string> {
  const socket = await handshake(port, options);
  const session = connectHttp2(`https://127.0.0.1:${String(port)}`, { createConnection: () => socket });
  cleanUps.push(() => {
    session.destroy();
  });
  return new Promise((resolve) => {
    const closed = (): void => {
      resolve('closed');
    };
    session.on('error', closed).once('close', closed);
    const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
    const stream = session.request(headers, { endStream: false });
    const told = ({ 'grpc-status': status }: IncomingHttpHeaders): void => {
      if (typeof status === 'string') resolve(status);
    };
    stream.on('error', closed).once('response', told).once('trailers', told).once('close', closed);
    stream.end(Buffer.alloc(5));
  });
}
