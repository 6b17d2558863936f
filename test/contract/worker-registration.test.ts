import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { WORKER_KEY_PREFIX, workerKey } from '@expertmesh/shared/cluster/cluster-keys';
import { MemberDirectory, type Member } from '@expertmesh/shared/cluster/member-directory';
import { parseWorkerRecord, type WorkerRecord } from '@expertmesh/shared/cluster/member-record';
import { type ControlPlane } from '@expertmesh/shared/control-plane/control-plane';
import { openControlPlane } from '@expertmesh/shared/control-plane/open-control-plane';
import { createLogger } from '@expertmesh/shared/process/logger';
import { eventually } from '@expertmesh/test-kit/eventually';
import { describeNats, NatsServerProcess } from '@expertmesh/test-kit/nats-server';
import { stopAll } from '@expertmesh/test-kit/process';
import { packDemoStore, startWorker, type DemoStore } from './demo-worker.js';

const logger = createLogger({ name: 'test', level: 'silent' });
const WAIT_MS = 20_000;

describeNats('a worker with --nats-url', () => {
  let store: DemoStore;
  let server: NatsServerProcess;
  let controlPlane: ControlPlane;
  let directory: MemberDirectory<WorkerRecord>;
  const start = (...flags: string[]) =>
    startWorker(store, '--nats-url', server.url, '--cluster', 'test', '--worker-id', 'box-1', ...flags);
  const box1 = (): Member<WorkerRecord> | undefined => directory.get('box-1');

  beforeAll(async () => {
    store = await packDemoStore();
    server = await NatsServerProcess.start();
    controlPlane = openControlPlane({ natsUrl: server.url, cluster: 'test' }, 'test', logger);
    directory = new MemberDirectory({
      controlPlane,
      bucket: controlPlane.workers,
      keyPrefix: WORKER_KEY_PREFIX,
      parse: parseWorkerRecord,
      onEvent: () => undefined,
      logger,
    });
  });
  afterEach(stopAll);
  afterAll(async () => {
    directory.close();
    await controlPlane.close();
    await server.stop();
  });

  it('says where it is and of which run it is, every second, and signs off when it ends', async () => {
    const { worker, client } = await start('--failure-domain', 'rack-2', '--advertise-host', '127.0.0.1');
    const { controlPort } = await worker.listening('worker');
    await eventually(() => {
      expect(box1()?.record).toMatchObject({
        workerId: 'box-1',
        controlAddress: `127.0.0.1:${String(controlPort)}`,
        storeId: store.storeId,
        failureDomain: 'rack-2',
      });
    }, WAIT_MS);
    expect((await client.stats()).bootId).toBe(box1()?.record.bootId);
    const heartbeat = box1()?.record.heartbeat ?? 0;
    await eventually(() => expect(box1()?.record.heartbeat).toBeGreaterThan(heartbeat + 1), WAIT_MS);
    client.close();
    expect(await worker.stop()).toBe(0);
    await eventually(() => expect(box1()).toBeUndefined());
    expect(await controlPlane.workers.get(workerKey('box-1'))).toBeUndefined();
  });

  it('is there again after the server has lost its store, and falls silent when it is killed', async () => {
    const { worker, client } = await start();
    await eventually(() => expect(box1()).toBeDefined(), WAIT_MS);
    const bootId = box1()?.record.bootId;
    await server.wipe();
    await server.restart();
    const lost = box1()?.record.heartbeat ?? 0;
    await eventually(() => expect(box1()?.record.heartbeat).toBeGreaterThan(lost), WAIT_MS);
    expect(box1()).toMatchObject({ isSilent: false, record: { bootId } });
    client.close();
    await worker.stop('SIGKILL');
    await eventually(() => expect(box1()?.isSilent).toBe(true), WAIT_MS);
    const again = await start();
    await eventually(() => expect(box1()).toMatchObject({ isSilent: false }), WAIT_MS);
    expect(box1()?.record.bootId).not.toBe(bootId);
    again.client.close();
  });

  it('starts, answers and ends as ever while no server is there', async () => {
    await server.stop();
    const { worker, client } = await start();
    expect(await client.stats()).toMatchObject({ state: 'WORKER_STATE_IDLE' });
    client.close();
    expect(await worker.stop()).toBe(0);
    await server.restart();
  });
});
