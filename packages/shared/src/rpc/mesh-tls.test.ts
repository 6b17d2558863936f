import { readFileSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { MeshCertificates } from '@expertmesh/test-kit/mesh-certificates';
import { rawCall } from '@expertmesh/test-kit/raw-call';
import { WorkerStats } from '../gen/expertmesh/v1/worker.js';
import { type Role } from '../transport-security/mesh-identity.js';
import { TransportSecurity } from '../transport-security/transport-security.js';
import { RpcClient } from './client.js';
import { GrpcStreamClient } from './grpc-stream/grpc-stream-client.js';
import { MAX_CONNECTIONS, type ServedStream, startGrpcStreamServer } from './grpc-stream/grpc-stream-server.js';
import { bindService, startServer } from './server.js';
import { expertService, workerService } from './services.js';

const PLACE = { host: '127.0.0.1', port: 0, portFlag: '--port' };
const GET_STATS = workerService.getStats.path;
const DISPATCH = expertService.dispatch.path;
const PERMISSION_DENIED = 7;

const mesh = new MeshCertificates();
const stranger = new MeshCertificates();

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function open(certificates: MeshCertificates, role: Role): TransportSecurity {
  const security = new TransportSecurity(certificates.issue(role), undefined);
  cleanUps.push(() => {
    security.close();
  });
  return security;
}

async function startControlPort(security: TransportSecurity | 'plain text' = open(mesh, 'worker')): Promise<number> {
  const unanswered = (): void => undefined;
  const service = bindService(workerService, {
    getStats: (_call, callback) => {
      callback(null, WorkerStats.create({ bootId: 'b1' }));
    },
    assign: unanswered,
    load: unanswered,
    unload: unanswered,
    resetEpoch: unanswered,
    drain: unanswered,
  });
  const server = await startServer({ ...PLACE, services: [service], security: secured(security) });
  cleanUps.push(() => server.close(0));
  return server.port;
}

async function startDataPort(security: TransportSecurity | 'plain text' = open(mesh, 'worker')) {
  const streams: ServedStream[] = [];
  const nothing = (): void => undefined;
  const accept = (stream: ServedStream) => {
    streams.push(stream);
    const onMessage = (message: Buffer) => void stream.send(Buffer.concat([PREFIX, message]));
    return { onMessage, onEnd: nothing, onDrain: nothing, onClosed: nothing };
  };
  const options = { ...PLACE, method: expertService.dispatch, accept, onError: nothing, security: secured(security) };
  const server = await startGrpcStreamServer(options);
  cleanUps.push(() => server.close(0));
  return { port: server.port, streams };
}

const secured = (security: TransportSecurity | 'plain text') => (security === 'plain text' ? undefined : security);

/** Of a message of one byte. */
const PREFIX = Buffer.of(0, 0, 0, 0, 1);

function openClient(port: number, security: TransportSecurity | undefined, serverRoles: readonly Role[] = ['worker']) {
  const client = new RpcClient(`127.0.0.1:${String(port)}`, 'it', undefined, {}, { security, serverRoles });
  cleanUps.push(() => {
    client.close();
  });
  return client;
}

const getStats = (client: RpcClient) =>
  client.unary(workerService.getStats, {}, { deadlineMs: 5_000, signal: new AbortController().signal });

/** One stream, with what it is told. */
function openStream(port: number, security: TransportSecurity | undefined, serverRoles: readonly Role[] = ['worker']) {
  const told: string[] = [];
  const events = {
    onReady: () => told.push('ready'),
    onMessage: (message: Buffer) => told.push(`message ${message.toString()}`),
    onEnd: (reason: string) => told.push(reason),
  };
  const secure = { security, serverRoles };
  const client = new GrpcStreamClient(`127.0.0.1:${String(port)}`, expertService.dispatch, events, secure);
  cleanUps.push(() => {
    client.close();
  });
  return { client, told };
}

const ports = [
  { port: 'the control port', path: GET_STATS, start: startControlPort },
  { port: 'the data port', path: DISPATCH, start: async () => (await startDataPort()).port },
];

describe.each(ports)('$port', ({ path, start }) => {
  it('takes the call of a coordinator', async () => {
    const outcome = await rawCall(await start(), path, mesh.issue('coordinator'));
    expect([{ kind: 'taken' }, { kind: 'status', status: 0, message: '' }]).toContainEqual(outcome);
  });

  it('refuses plain text, no certificate, an unknown authority and a certificate that is over', async () => {
    const port = await start();
    for (const files of [undefined, stranger.issue('coordinator'), mesh.issueExpired('coordinator')])
      expect(await rawCall(port, path, files)).toMatchObject({ kind: 'no connection' });
    const bare = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    const reason = await new Promise((resolve) => bare.once('error', resolve).once('close', resolve).resume());
    expect(reason).toMatchObject({ code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' });
  });

  it('refuses TLS 1.2', async () => {
    const old = { host: '127.0.0.1', rejectUnauthorized: false, maxVersion: 'TLSv1.2' } as const;
    const socket = connect({ ...old, port: await start() });
    expect(await new Promise((resolve) => socket.once('error', resolve).once('secureConnect', resolve))).toMatchObject({
      code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
    });
  });

  it.each(['worker', 'client', 'nats'] as const)('names role and method when it refuses a %s', async (role) => {
    expect(await rawCall(await start(), path, mesh.issue(role))).toEqual({
      kind: 'status',
      status: PERMISSION_DENIED,
      message: expect.stringContaining(`role ${role} may not call ${path}`) as string,
    });
  });

  it('refuses a certificate of another cluster, though the authority is the same', async () => {
    const files = mesh.issue('coordinator', 'foreign', { cluster: 'other' });
    expect(await rawCall(await start(), path, files)).toMatchObject({
      status: PERMISSION_DENIED,
      message: expect.stringContaining('in cluster other') as string,
    });
  });
});

describe('a client', () => {
  it('speaks with a worker by its role, whatever its address', async () => {
    const control = openClient(await startControlPort(), open(mesh, 'coordinator'));
    expect(await getStats(control)).toMatchObject({ bootId: 'b1' });
    const { port } = await startDataPort();
    const { client, told } = openStream(port, open(mesh, 'coordinator'));
    client.send(Buffer.concat([PREFIX, Buffer.from('x')]));
    await expect.poll(() => told).toEqual(['ready', 'message x']);
  });

  it('sends nothing to who is no worker, is not known to the authority, or speaks plain text', async () => {
    const coordinator = open(mesh, 'coordinator');
    const cases = [
      [open(mesh, 'admin'), 'a certificate of role admin, and a worker is asked for'],
      [open(stranger, 'worker'), /self.signed certificate|unable to verify|certificate signature failure/],
      ['plain text', /wrong version number|packet length too long|closed|ECONNRESET/],
    ] as const;
    for (const [security, reason] of cases) {
      await expect(getStats(openClient(await startControlPort(security), coordinator))).rejects.toThrow(reason);
      const { port, streams } = await startDataPort(security);
      const { told } = openStream(port, coordinator);
      await expect.poll(() => told[0]).toMatch(reason);
      expect(streams).toEqual([]);
    }
  });

  it('is told its role and the method when it may not call', async () => {
    const worker = open(mesh, 'worker');
    await expect(getStats(openClient(await startControlPort(), worker))).rejects.toMatchObject({
      code: 'permission_denied',
      message: expect.stringContaining(`role worker may not call ${GET_STATS}`) as string,
    });
    const { told } = openStream((await startDataPort()).port, worker);
    await expect.poll(() => told.at(-1)).toContain(`role worker may not call ${DISPATCH}`);
  });
});

describe('strangers', () => {
  it('who begin handshakes, and do not end them, take no place of a coordinator', async () => {
    const { port } = await startDataPort();
    const closed: number[] = [];
    const sockets = Array.from({ length: 4 * MAX_CONNECTIONS }, (_, index) => {
      const socket = connectTcp(port, '127.0.0.1');
      socket.on('error', () => undefined).once('close', () => closed.push(index));
      return socket;
    });
    cleanUps.push(() => sockets.map((socket) => socket.destroy()));
    const { client, told } = openStream(port, open(mesh, 'coordinator'));
    client.send(Buffer.concat([PREFIX, Buffer.from('x')]));
    await expect.poll(() => told).toEqual(['ready', 'message x']);
    await expect.poll(() => closed.length).toBeGreaterThanOrEqual(3 * MAX_CONNECTIONS);
    expect(Math.max(...closed.slice(0, 10))).toBeLessThan(MAX_CONNECTIONS);
  });

  it('of another role take no place of a coordinator, however many connections they have', async () => {
    const { port } = await startDataPort();
    const worker = open(mesh, 'worker');
    const others = Array.from({ length: MAX_CONNECTIONS }, () => openStream(port, worker));
    await expect.poll(() => others.every(({ told }) => told.length > 0), { timeout: 20_000 }).toBe(true);
    const { client, told } = openStream(port, open(mesh, 'coordinator'));
    client.send(Buffer.concat([PREFIX, Buffer.from('x')]));
    await expect.poll(() => told).toEqual(['ready', 'message x']);
  });
});

describe('rotation', () => {
  it('of the authority goes on with a file that has both', async () => {
    const [old, next] = [new MeshCertificates(), new MeshCertificates()];
    const both = readFileSync(old.ca, 'utf8') + readFileSync(next.ca, 'utf8');
    for (const { ca } of [old, next]) writeFileSync(ca, both);
    for (const [server, client] of [
      [old, next],
      [next, old],
    ] as const)
      await getStats(openClient(await startControlPort(open(server, 'worker')), open(client, 'coordinator')));
  });

  it('has new connections show and trust what the files hold now, while open ones go on', async () => {
    const rotated = new MeshCertificates();
    const [server, client] = [open(rotated, 'worker'), open(rotated, 'coordinator')];
    const controlPort = await startControlPort(server);
    const { port: dataPort } = await startDataPort(server);
    const [channel, old] = [openClient(controlPort, client), openStream(dataPort, client)];
    await getStats(channel);
    await expect.poll(() => old.told).toEqual(['ready']);

    // Another authority altogether: who has not read it again is a stranger.
    const before = rotated.issue('coordinator', 'before');
    rotated.renewAuthority();
    for (const role of ['worker', 'coordinator'] as const) rotated.issue(role);
    const reread = Promise.all([server, client].map((security) => new Promise((read) => security.onChange(read))));
    process.emit('SIGHUP', 'SIGHUP');
    await reread;

    await getStats(channel);
    old.client.send(Buffer.concat([PREFIX, Buffer.from('y')]));
    await expect.poll(() => old.told).toEqual(['ready', 'message y']);
    await getStats(openClient(controlPort, client));
    const { told } = openStream(dataPort, client);
    await expect.poll(() => told).toEqual(['ready']);
    for (const [port, path] of [
      [controlPort, GET_STATS],
      [dataPort, DISPATCH],
    ] as const)
      expect(await rawCall(port, path, before)).toMatchObject({ kind: 'no connection' });
  });
});
