import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { coordinatorKey, LEADER_KEY, workerKey } from '@expertmesh/shared/cluster/cluster-keys';
import { NatsConnection } from '@expertmesh/shared/control-plane/nats-connection';
import { NatsControlPlane } from '@expertmesh/shared/control-plane/nats-control-plane';
import { createLogger } from '@expertmesh/shared/process/logger';
import { type Role } from '@expertmesh/shared/transport-security/mesh-identity';
import { TransportSecurity } from '@expertmesh/shared/transport-security/transport-security';
import { MeshCertificates } from '@expertmesh/test-kit/mesh-certificates';
import { describeNats, NatsServerProcess } from '@expertmesh/test-kit/nats-server';
import { bytes, RecordingWatch } from '@expertmesh/test-kit/recording-watch';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { until } from '@expertmesh/test-kit/until';

/** Made for this test, and of use for nothing else. */
const KNOWN_USER = 'UA3NNBTYF5ZENT5SUSKECWQPGYPHOSSACEJUP2QZQGSBF5C3WAZTNLVF';
const KNOWN_SEED = 'SUAP2MC7ZCCVJTTACPSPKNUWIDHCVKWOKPN2DN6D7C5WE3FIO35CXLLZKE';
const OTHER_SEED = 'SUAPRQ6MHGABJGIJPLQPBAJV43AQJUSYQSOKW3KQSQ2UJHD5LYL65JXNVI';

const CONFIG = join(import.meta.dirname, '../../infra/helm/expertmesh/files/nats.conf');
const logger = createLogger({ name: 'test', level: 'silent' });

describeNats('the permissions in infra/helm/expertmesh/files/nats.conf', () => {
  const mesh = new MeshCertificates();
  const cleanUps: (() => unknown)[] = [];
  let server: NatsServerProcess;
  let coordinator: NatsControlPlane;
  let worker: NatsControlPlane;

  const securityOf = (role: Role): TransportSecurity => {
    const security = new TransportSecurity(mesh.issue(role), undefined);
    cleanUps.push(() => {
      security.close();
    });
    return security;
  };
  const openAs = (role: Role): NatsControlPlane => {
    const servers = [server.url];
    const plane = new NatsControlPlane({
      servers,
      cluster: 'default',
      clientName: role,
      logger,
      security: securityOf(role),
    });
    cleanUps.push(() => plane.close());
    return plane;
  };

  beforeAll(async () => {
    server = await NatsServerProcess.start({ tls: mesh.issue('nats'), configFile: CONFIG });
    cleanUps.push(() => server.stop());
    coordinator = openAs('coordinator');
    await until(() => coordinator.state === 'connected');
    worker = openAs('worker');
    await until(() => worker.state === 'connected');
  });
  afterAll(async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
  });

  it('lets a coordinator do all that it does', async () => {
    const watch = new RecordingWatch();
    coordinator.workers.watch(watch);
    await watch.current;
    for (const bucket of [coordinator.placement, coordinator.leader]) {
      const revision = (await bucket.create(LEADER_KEY, bytes('1'))) ?? 0;
      expect(await bucket.update(LEADER_KEY, bytes('2'), revision)).toBeGreaterThan(revision);
      expect((await bucket.get(LEADER_KEY))?.value).toEqual(bytes('2'));
      await bucket.delete(LEADER_KEY);
    }
    await coordinator.workers.put(coordinatorKey('c'), bytes('1'));
    await expect.poll(() => watch.told).toEqual(['coordinator/c=1']);
    const heard = new Promise<string>((resolve) => {
      coordinator.subscribe('load', (payload) => {
        resolve(Buffer.from(payload).toString());
      });
    });
    coordinator.publish('load', bytes('much'));
    expect(await heard).toBe('much');
  });

  it('lets a worker keep its record, which coordinators see, and take it away', async () => {
    await worker.workers.put(workerKey('w'), bytes('1'));
    expect((await coordinator.workers.get(workerKey('w')))?.value).toEqual(bytes('1'));
    await worker.workers.delete(workerKey('w'));
    expect(await coordinator.workers.get(workerKey('w'))).toBeUndefined();
  });

  it("lets no worker write a coordinator's record, a placement, or the leader's office", async () => {
    await coordinator.leader.put(LEADER_KEY, bytes('c'));
    await Promise.all([
      expect(worker.workers.put(coordinatorKey('c'), bytes('x'))).rejects.toThrow(),
      expect(worker.placement.put('inForce', bytes('x'))).rejects.toThrow(),
      expect(worker.leader.put(LEADER_KEY, bytes('x'))).rejects.toThrow(),
    ]);
    expect(await coordinator.placement.get('inForce')).toBeUndefined();
    expect((await coordinator.leader.get(LEADER_KEY))?.value).toEqual(bytes('c'));
    expect((await coordinator.workers.get(coordinatorKey('c')))?.value).toEqual(bytes('1'));
  });

  it('lets no worker say anything to coordinators, nor hear what they say', async () => {
    const heard: string[] = [];
    for (const plane of [worker, coordinator])
      plane.subscribe('secret', (payload) => heard.push(Buffer.from(payload).toString()));
    worker.publish('secret', bytes('of a worker'));
    coordinator.publish('secret', bytes('of a coordinator'));
    await expect.poll(() => heard).toEqual(['of a coordinator']);
  });

  it('lets no worker hear what the server answers to coordinators', async () => {
    await coordinator.placement.put('inForce', bytes('1'));
    const eavesdropper = await NatsConnection.open([server.url], 'worker', securityOf('worker'));
    cleanUps.push(() => eavesdropper.close());
    const heard: string[] = [];
    for (const subject of ['_INBOX.>', '_INBOX.coordinator.>'])
      eavesdropper.subscribe(subject, (_, heardOn) => heard.push(heardOn));
    // What the server answers to this comes after the subscriptions.
    await eavesdropper.bucket('expertmesh_default_workers');
    expect((await coordinator.placement.get('inForce'))?.value).toEqual(bytes('1'));
    await eavesdropper.bucket('expertmesh_default_workers');
    expect(heard).toEqual([]);
    await coordinator.placement.delete('inForce');
  });

  it('refuses who has a certificate of a role that has nothing to do there, and says what to do', async () => {
    await expect(NatsConnection.open([server.url], 'test', securityOf('client'))).rejects.toThrow(
      /knows no user by the certificate of --tls-cert or by --nats-creds/,
    );
  });
});

describeNats('a NATS server that knows its users by nkeys', () => {
  const dir = tempDir();
  const seedFile = (seed: string): string => {
    const file = join(dir, `${seed.slice(0, 8)}.nk`);
    writeFileSync(file, `${seed}\n`, { mode: 0o600 });
    return file;
  };

  it('takes a process with --nats-creds, and refuses one with another seed, none, or another file', async () => {
    const [known, unknown] = [seedFile(KNOWN_SEED), seedFile(OTHER_SEED)];
    const config = join(dir, 'nkeys.conf');
    writeFileSync(
      config,
      `jetstream { store_dir: $NATS_STORE_DIR }\nauthorization { users: [ { nkey: ${KNOWN_USER} } ] }\n`,
    );
    const server = await NatsServerProcess.start({ configFile: config, credsFile: known });
    try {
      const connection = await NatsConnection.open([server.url], 'test', undefined, known);
      await connection.close();
      const refused = /knows no user by the certificate of --tls-cert or by --nats-creds/;
      await expect(NatsConnection.open([server.url], 'test', undefined, unknown)).rejects.toThrow(refused);
      await expect(NatsConnection.open([server.url], 'test')).rejects.toThrow(refused);
      await expect(NatsConnection.open([server.url], 'test', undefined, config)).rejects.toThrow(
        /is neither a \.creds/,
      );
    } finally {
      await server.stop();
    }
  });
});
