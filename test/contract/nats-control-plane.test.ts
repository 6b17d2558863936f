import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { type ControlPlane, type ControlPlaneState } from '@expertmesh/shared/control-plane/control-plane';
import { NatsConnection, type NatsBucket, type NatsChange } from '@expertmesh/shared/control-plane/nats-connection';
import { NatsControlPlane } from '@expertmesh/shared/control-plane/nats-control-plane';
import { openControlPlane } from '@expertmesh/shared/control-plane/open-control-plane';
import { createLogger } from '@expertmesh/shared/process/logger';
import { CuttableProxy } from '@expertmesh/test-kit/cuttable-proxy';
import { eventually } from '@expertmesh/test-kit/eventually';
import { describeNats, NatsServerProcess } from '@expertmesh/test-kit/nats-server';
import { bytes, RecordingWatch, texts } from '@expertmesh/test-kit/recording-watch';

const logger = createLogger({ name: 'test', level: 'silent' });
/** From the return of the server, or of the way to it: the longest pause between two attempts is 2 s. */
const RETURN_TIMEOUT_MS = 8_000;

describeNats('a control plane over NATS', () => {
  let server: NatsServerProcess;
  let cluster = '';
  let numClusters = 0;
  const opened: ControlPlane[] = [];

  const open = (url = server.url): ControlPlane => {
    const controlPlane = openControlPlane({ natsUrl: url, cluster }, 'test', logger);
    opened.push(controlPlane);
    return controlPlane;
  };
  const openConnected = async (url?: string): Promise<ControlPlane> => {
    const controlPlane = open(url);
    await reaches(controlPlane, 'connected');
    return controlPlane;
  };

  beforeAll(async () => {
    server = await NatsServerProcess.start();
  });
  beforeEach(() => {
    numClusters += 1;
    cluster = `cluster-${String(numClusters)}`;
  });
  afterEach(async () => {
    server.resume();
    await Promise.all(opened.splice(0).map((controlPlane) => controlPlane.close()));
  });
  afterAll(() => server.stop());

  it('waits for a server that is not there yet', async () => {
    await server.stop();
    const controlPlane = open();
    const watch = new RecordingWatch();
    controlPlane.workers.watch(watch);
    await expect(controlPlane.workers.put('a', bytes('1'))).rejects.toMatchObject({ code: 'unavailable' });
    expect(watch.numCurrent).toBe(0);
    await server.restart();
    await watch.current;
    await reaches(controlPlane, 'connected');
    await controlPlane.workers.put('a', bytes('1'));
    await eventually(() => expect(watch.told).toEqual(['a=1']));
  });

  it.each<NodeJS.Signals>(['SIGTERM', 'SIGKILL'])(
    'is away while the server is, fails calls at once, and finds everything again: %s',
    async (signal) => {
      const controlPlane = await openConnected();
      const states: ControlPlaneState[] = [];
      controlPlane.onState((state) => states.push(state));
      const watch = new RecordingWatch();
      controlPlane.placement.watch(watch);
      const revision = await controlPlane.placement.put('document/1', bytes('1'));
      await eventually(() => expect(watch.told).toEqual(['document/1=1']));
      await server.stop(signal);
      await reaches(controlPlane, 'away');
      const startMs = performance.now();
      await expect(controlPlane.placement.get('document/1')).rejects.toMatchObject({ code: 'unavailable' });
      controlPlane.publish('loads', bytes('dropped'));
      expect(performance.now() - startMs).toBeLessThan(100);
      await server.restart();
      await reaches(controlPlane, 'connected');
      expect(states).toEqual(['away', 'connected']);
      expect(await controlPlane.placement.update('document/1', bytes('2'), revision)).toBeGreaterThan(revision);
      await eventually(() => expect(watch.told).toEqual(['document/1=1', 'document/1=2']));
      expect(watch.numCurrent).toBe(1);
    },
  );

  it('makes its buckets again when the server has lost its store, and first tells what is gone', async () => {
    const controlPlane = await openConnected();
    const watch = new RecordingWatch();
    controlPlane.placement.watch(watch);
    const lost = await controlPlane.placement.put('inForce', bytes('1'));
    await eventually(() => expect(watch.told).toEqual(['inForce=1']));
    const whenConnected: string[][] = [];
    controlPlane.onState((state) => state === 'connected' && whenConnected.push([...watch.told]));
    await server.wipe();
    await server.restart();
    await eventually(() => expect(whenConnected).toEqual([['inForce=1', 'inForce deleted']]), RETURN_TIMEOUT_MS);
    const written = await controlPlane.placement.put('inForce', bytes('2'));
    expect(written).toBeGreaterThan(lost);
    // It is the first revision of the new bucket, as it was of the old one.
    expect(await controlPlane.placement.update('inForce', bytes('late'), lost)).toBeUndefined();
    expect(texts((await controlPlane.placement.get('inForce'))?.value ?? bytes(''))).toBe('2');
    await eventually(() => expect(watch.told).toEqual(['inForce=1', 'inForce deleted', 'inForce=2']));
  });

  it('notices a server that answers nothing any more', async () => {
    const controlPlane = await openConnected();
    await server.pause();
    const startMs = performance.now();
    await expect(controlPlane.leader.put('leader', bytes('1'))).rejects.toMatchObject({ code: 'unavailable' });
    await reaches(controlPlane, 'away');
    expect(performance.now() - startMs).toBeLessThan(4_000);
    server.resume();
    await reaches(controlPlane, 'connected');
    await controlPlane.leader.put('leader', bytes('2'));
  });

  it('notices it without any call, too', async () => {
    const controlPlane = await openConnected();
    await server.pause();
    await reaches(controlPlane, 'away');
  });

  it('makes a bucket again that somebody has deleted', async () => {
    const controlPlane = await openConnected();
    await controlPlane.placement.put('inForce', bytes('1'));
    await deleteStream(server.url, `KV_expertmesh_${cluster}_placement`);
    await eventually(async () => {
      await controlPlane.placement.put('inForce', bytes('2'));
    }, RETURN_TIMEOUT_MS);
  });

  it('keeps no trace of deleted keys after an hour, and loses none that was written again', async () => {
    const controlPlane = new NatsControlPlane({ servers: [server.url], cluster, clientName: 'test', logger });
    opened.push(controlPlane);
    await reaches(controlPlane, 'connected');
    const { workers } = controlPlane;
    const watch = new RecordingWatch();
    workers.watch(watch);
    await watch.current;
    for (const key of ['gone', 'back']) {
      await workers.put(key, bytes('1'));
      await workers.delete(key);
    }
    await eventually(() => expect(watch.told.filter((told) => told.endsWith('deleted'))).toHaveLength(2));
    const connection = await NatsConnection.open([server.url], 'test');
    const bucket = await connection.bucket(`expertmesh_${cluster}_workers`);
    const before = await changesOf(bucket);
    expect(before.map(({ key, value }) => `${key} ${value === undefined ? 'deleted' : texts(value)}`)).toEqual([
      'gone deleted',
      'back deleted',
    ]);
    await workers.put('back', bytes('2'));
    for (const marker of before) await bucket.removeMarker(marker);
    expect((await changesOf(bucket)).map(({ key }) => key)).toEqual(['back']);

    await workers.delete('back');
    await eventually(() => expect(watch.told.at(-1)).toBe('back deleted'));
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * 3_600_000 });
    try {
      await workers.check();
    } finally {
      vi.useRealTimers();
    }
    expect(await changesOf(bucket)).toEqual([]);
    await connection.close();
  });

  it('closes in time whatever the server does', async () => {
    const controlPlane = await openConnected();
    await server.pause();
    const startMs = performance.now();
    await controlPlane.close();
    expect(performance.now() - startMs).toBeLessThan(1_500);
    server.resume();
    const closedEarly = open('nats://127.0.0.1:1');
    await closedEarly.close();
    expect(closedEarly.state).toBe('away');
  });

  it('tells what has changed while the way to the server was cut, and receives messages again', async () => {
    const proxy = await CuttableProxy.start(Number(new URL(server.url).port));
    const near = await openConnected();
    const far = await openConnected(`nats://127.0.0.1:${String(proxy.port)}`);
    const messages: string[] = [];
    far.subscribe('loads', (payload) => messages.push(texts(payload)));
    const watch = new RecordingWatch();
    far.workers.watch(watch);
    await watch.current;
    for (const key of ['same', 'changed', 'deleted']) await near.workers.put(key, bytes('1'));
    await eventually(() => expect(watch.told).toHaveLength(3));
    await proxy.cut();
    await reaches(far, 'away');
    await near.workers.put('changed', bytes('2'));
    await near.workers.delete('deleted');
    await near.workers.put('added', bytes('1'));
    near.publish('loads', bytes('lost'));
    expect(watch.told).toHaveLength(3);
    await proxy.mend();
    await reaches(far, 'connected');
    expect(watch.told.slice(3).sort()).toEqual(['added=1', 'changed=2', 'deleted deleted']);
    near.publish('loads', bytes('heard'));
    await eventually(() => expect(messages).toEqual(['heard']));
    await proxy.cut();
  });
});

const reaches = (controlPlane: ControlPlane, state: ControlPlaneState): Promise<void> =>
  eventually(() => expect(controlPlane.state).toBe(state), RETURN_TIMEOUT_MS);

/** All that a bucket has now, with the markers of what was deleted. */
async function changesOf(bucket: NatsBucket): Promise<NatsChange[]> {
  const changes: NatsChange[] = [];
  await new Promise<void>((resolve, reject) => {
    bucket.watch((change) => changes.push(change), resolve, reject).catch(reject);
  });
  // The watch goes on.
  return [...changes];
}

/** In the protocol of NATS itself: no client of ours deletes a bucket. */
async function deleteStream(url: string, stream: string): Promise<void> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  await once(socket, 'data');
  socket.write(`CONNECT {"verbose":false}\r\nPUB $JS.API.STREAM.DELETE.${stream} 0\r\n\r\nPING\r\n`);
  await once(socket, 'data');
  socket.destroy();
}
