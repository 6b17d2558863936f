import { type AssignRequest, WorkerState, WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { DrivenClock } from '../../../../test/kit/driven-clock.js';
import { until } from '../../../../test/kit/until.js';
import { bindService, type RpcServer, startServer } from '@expertmesh/shared/rpc/server';
import { workerService } from '@expertmesh/shared/rpc/services';
import { toServiceError } from '@expertmesh/shared/rpc/status';
import { afterEach, describe, expect, it } from 'vitest';
import { type WorkerEvent } from './worker-event.js';
import { WorkerPool } from './worker-pool.js';

const HEARTBEAT_INTERVAL_MS = 500;
const HEARTBEAT_TIMEOUT_MS = 1000;

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** The control plane of a worker that only remembers what it was told. */
class RecordingWorker {
  bootId = 'boot-1';
  storeId = 'store-1';
  isSilent = false;
  loadError: ExpertmeshError | undefined;
  numStats = 0;
  numLoads = 0;
  readonly assignments: AssignRequest[] = [];
  #placementVersion = 0;
  #server: RpcServer | undefined;

  async start(port = 0): Promise<void> {
    const service = bindService(workerService, {
      getStats: (_call, callback) => {
        this.numStats++;
        if (!this.isSilent) callback(null, this.#stats());
      },
      assign: ({ request }, callback) => {
        this.assignments.push(request);
        callback(null, { packedBytes: 1, memoryBytes: 1 });
      },
      load: (stream) => {
        this.numLoads++;
        if (this.loadError !== undefined) {
          stream.emit('error', toServiceError(this.loadError));
          return;
        }
        const { placementVersion } = stream.request;
        stream.write({ placementVersion, loadedBytes: 40, totalBytes: 100, loadedLayers: 1, totalLayers: 2 });
        this.#placementVersion = placementVersion;
        stream.end();
      },
      unload: () => undefined,
      drain: () => undefined,
    });
    this.#server = await startServer({ host: '127.0.0.1', port, portFlag: '--port', services: [service] });
  }

  async restart(): Promise<void> {
    this.bootId = 'boot-2';
    this.#placementVersion = 0;
    await this.start(this.port);
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }

  async close(): Promise<void> {
    await this.#server?.close(0);
  }

  #stats(): WorkerStats {
    const state = this.#placementVersion === 0 ? WorkerState.WORKER_STATE_IDLE : WorkerState.WORKER_STATE_SERVING;
    const { bootId, storeId } = this;
    return WorkerStats.create({ bootId, storeId, dataPort: 9100, state, placementVersion: this.#placementVersion });
  }
}

async function startPool(numWorkers: number, prepare: (worker: RecordingWorker) => void = () => undefined) {
  const workers = Array.from({ length: numWorkers }, () => new RecordingWorker());
  for (const worker of workers) {
    prepare(worker);
    await worker.start();
    cleanUps.push(() => worker.close());
  }
  const clock = new DrivenClock();
  const events: WorkerEvent[] = [];
  const pool = new WorkerPool({
    controlAddresses: workers.map(({ port }) => ({ host: '127.0.0.1', port })),
    withLocalExperts: false,
    storeId: 'store-1',
    moeLayerIndices: [1, 3],
    numExperts: 5,
    heartbeatIntervalMs: HEARTBEAT_INTERVAL_MS,
    heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
    onEvent: (event) => events.push(event),
    clock,
    random: () => 0,
  });
  cleanUps.push(() => {
    pool.close();
  });
  const [worker] = workers;
  if (worker === undefined) throw new Error('at least one worker');
  return { pool, worker, workers, clock, events, isUp: () => pool.status().every(({ phase }) => phase === 'up') };
}

/** Lets the clock reach the next heartbeat and waits until its answer has set the one after it. */
async function heartbeat({ pool, clock }: Awaited<ReturnType<typeof startPool>>): Promise<void> {
  await until(() => clock.nextInMs === HEARTBEAT_INTERVAL_MS);
  const numSent = pool.status()[0]?.heartbeats.numSent;
  clock.advance(HEARTBEAT_INTERVAL_MS);
  expect(pool.status()[0]?.heartbeats.numSent).toBe((numSent ?? 0) + 1);
  await until(() => clock.nextInMs === HEARTBEAT_INTERVAL_MS);
}

describe('WorkerPool', () => {
  it('gives every worker its share of every layer, and tells progress and then that it is up', async () => {
    const { pool, workers, events, isUp } = await startPool(2);
    await until(isUp);
    expect(workers.map(({ assignments }) => assignments)).toEqual([
      [
        {
          placementVersion: pool.placement.version,
          storeId: 'store-1',
          shards: [
            { layerIndex: 1, expertIds: [0, 1] },
            { layerIndex: 3, expertIds: [0, 1] },
          ],
        },
      ],
      [
        {
          placementVersion: pool.placement.version,
          storeId: 'store-1',
          shards: [
            { layerIndex: 1, expertIds: [2, 3, 4] },
            { layerIndex: 3, expertIds: [2, 3, 4] },
          ],
        },
      ],
    ]);
    const workerId = `127.0.0.1:${String(workers[0]?.port)}`;
    expect(pool.placement.workerIds[0]).toBe(workerId);
    expect(events.filter((event) => event.workerId === workerId)).toEqual([
      { type: 'progress', workerId, loadedBytes: 40, totalBytes: 100, loadedLayers: 1, totalLayers: 2 },
      { type: 'up', workerId, dataAddress: '127.0.0.1:9100', bootId: 'boot-1' },
    ]);
  });

  it('counts heartbeats while all is well', async () => {
    const cluster = await startPool(1);
    await until(cluster.isUp);
    await heartbeat(cluster);
    await heartbeat(cluster);
    expect(cluster.pool.status()).toMatchObject([
      { phase: 'up', bootId: 'boot-1', dataAddress: '127.0.0.1:9100', heartbeats: { numSent: 2, numMissed: 0 } },
    ]);
  });

  it('tells that a silent worker is down within 1.5 s of its last answer, and takes it back when it speaks again', async () => {
    const { pool, worker, clock, events, isUp } = await startPool(1);
    await until(isUp);
    worker.isSilent = true;
    clock.advance(HEARTBEAT_INTERVAL_MS);
    await until(() => worker.numStats === 2);
    clock.advance(HEARTBEAT_TIMEOUT_MS - 1);
    expect(isUp()).toBe(true);
    clock.advance(1);
    await until(() => !isUp());
    expect(events.at(-1)).toEqual({
      type: 'down',
      workerId: events[0]?.workerId,
      reason: 'it did not answer /expertmesh.v1.WorkerService/GetStats within 1000 ms',
    });
    expect(pool.status()).toMatchObject([{ phase: 'waiting', heartbeats: { numSent: 1, numMissed: 1 } }]);
    worker.isSilent = false;
    clock.advance(100);
    await until(isUp);
    expect(events.at(-1)?.type).toBe('up');
  });

  it('tells at the next heartbeat that a worker process is gone, and gives a new one its experts again', async () => {
    const { pool, worker, clock, events, isUp } = await startPool(1);
    await until(isUp);
    await worker.close();
    clock.advance(HEARTBEAT_INTERVAL_MS);
    await until(() => !isUp());
    for (const delayMs of [100, 200, 400]) {
      await until(() => pool.status()[0]?.phase === 'waiting');
      clock.advance(delayMs);
      await until(() => pool.status()[0]?.phase === 'connecting');
    }
    await until(() => pool.status()[0]?.phase === 'waiting');
    await worker.restart();
    clock.advance(800);
    await until(isUp);
    expect(worker.assignments.length).toBe(2);
    expect(events.at(-1)).toMatchObject({ type: 'up', bootId: 'boot-2' });
    // Once when it went, and not again for every attempt that found nobody for the same reason.
    expect(events.filter(({ type }) => type === 'down').length).toBeLessThanOrEqual(2);
  });

  it('notices a worker that was restarted between two heartbeats', async () => {
    const { worker, clock, events, isUp } = await startPool(1);
    await until(isUp);
    worker.bootId = 'boot-2';
    clock.advance(HEARTBEAT_INTERVAL_MS);
    await until(() => worker.assignments.length === 2 && isUp());
    expect(events.slice(-3).map(({ type }) => type)).toEqual(['down', 'progress', 'up']);
    expect(events.at(-1)).toMatchObject({ bootId: 'boot-2' });
  });

  it('refuses a worker of another store, and takes it once it has the right one', async () => {
    const { pool, worker, clock, events, isUp } = await startPool(1, (started) => {
      started.storeId = 'store-2';
    });
    await until(() => events.length === 1);
    expect(events[0]).toMatchObject({
      type: 'down',
      reason: expect.stringContaining('start both with the same store') as string,
    });
    expect(pool.status()[0]?.lastError).toContain('store-2');
    expect(worker.assignments).toEqual([]);
    worker.storeId = 'store-1';
    clock.advance(100);
    await until(isUp);
  });

  it('tells why loading failed and tries again', async () => {
    const { worker, clock, events, isUp } = await startPool(1, (started) => {
      started.loadError = new ExpertmeshError('data_loss', 'blob layer-001/expert-000 has a wrong hash');
    });
    await until(() => events.length === 1);
    expect(events[0]).toMatchObject({ type: 'down', reason: 'blob layer-001/expert-000 has a wrong hash' });
    worker.loadError = undefined;
    clock.advance(100);
    await until(isUp);
    expect(worker.numLoads).toBe(2);
  });

  it('is silent after close and leaves no timer', async () => {
    const { pool, worker, clock, events, isUp } = await startPool(1);
    await until(isUp);
    const numEvents = events.length;
    pool.close();
    await worker.close();
    clock.advance(10_000);
    expect(clock.numTimers).toBe(0);
    expect(events.length).toBe(numEvents);
  });

  it('refuses the same worker twice', () => {
    const address = { host: 'a', port: 9101 };
    const start = (): WorkerPool =>
      new WorkerPool({
        controlAddresses: [address, address],
        withLocalExperts: false,
        storeId: 's',
        moeLayerIndices: [0],
        numExperts: 4,
        heartbeatIntervalMs: 500,
        heartbeatTimeoutMs: 1000,
        onEvent: () => undefined,
      });
    expect(start).toThrow('--workers names a:9101 twice');
  });
});
