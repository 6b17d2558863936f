import { readFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { NatsConnection } from '@expertmesh/shared/control-plane/nats-connection';
import { type TlsFiles } from '@expertmesh/shared/transport-security/credentials';
import { TransportSecurity } from '@expertmesh/shared/transport-security/transport-security';
import { MeshCertificates } from '@expertmesh/test-kit/mesh-certificates';
import { describeNats, NatsServerProcess } from '@expertmesh/test-kit/nats-server';
import { bytes } from '@expertmesh/test-kit/recording-watch';

describeNats('NATS over TLS', () => {
  const mesh = new MeshCertificates();
  const cleanUps: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  async function start(tls?: TlsFiles): Promise<NatsServerProcess> {
    const server = await NatsServerProcess.start({ tls });
    cleanUps.push(() => server.stop());
    return server;
  }

  async function connect({ url }: NatsServerProcess, files?: TlsFiles): Promise<NatsConnection> {
    const security = files && new TransportSecurity(files, undefined);
    cleanUps.push(() => security?.close());
    const connection = await NatsConnection.open([url], 'test', security);
    cleanUps.push(() => connection.close());
    return connection;
  }

  it('keeps what a coordinator writes', async () => {
    const bucket = await (await connect(await start(mesh.issue('nats')), mesh.issue('coordinator'))).bucket('b');
    await bucket.put('a', bytes('1'));
    expect((await bucket.get('a'))?.value).toEqual(bytes('1'));
  });

  it('is refused to who shows no certificate, or one of another authority', async () => {
    const server = await start(mesh.issue('nats'));
    await expect(connect(server)).rejects.toThrow();
    const stranger = new MeshCertificates();
    const foreign = { ...stranger.issue('coordinator'), ca: mesh.ca };
    await expect(connect(server, foreign)).rejects.toThrow();
  });

  it('is not had with a server that has no certificate of role nats, or speaks plain text', async () => {
    const files = mesh.issue('worker', 'impostor');
    // Its own probe would find the same: the server is there when its port is.
    const server = await start(mesh.issue('nats', 'impostor'));
    mesh.issue('worker', 'impostor');
    await server.stop();
    void server.restart().catch(() => undefined);
    await expect.poll(() => connect(server, files).then(String, String)).toContain('of role worker, and a nats');
    await expect(connect(await start(), mesh.issue('coordinator'))).rejects.toThrow(/speaks no TLS/);
  });

  it('is made with what the files hold when it is made', async () => {
    const server = await start(mesh.issue('nats'));
    const files = mesh.issue('coordinator', 'rotating');
    const security = new TransportSecurity(files, undefined);
    cleanUps.push(() => {
      security.close();
    });
    mesh.renewAuthority();
    mesh.issue('nats');
    mesh.issue('coordinator', 'rotating');
    await server.restart();
    const isReread = () => security.credentials.context.ca === readFileSync(mesh.ca, 'utf8');
    await expect.poll(isReread, { timeout: 10_000 }).toBe(true);
    const connection = await NatsConnection.open([server.url], 'test', security);
    cleanUps.push(() => connection.close());
  });
});
