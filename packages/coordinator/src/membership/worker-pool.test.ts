import {
  type AssignRequest,
  type LoadRequest,
  WorkerState,
  WorkerStats,
} from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { bindService, type RpcServer, startServer } from '@expertmesh/shared/rpc/server';
import { workerService } from '@expertmesh/shared/rpc/services';
import { afterEach, describe, expect, it } from 'vitest';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { until } from '@expertmesh/test-kit/until';
import { type WorkerEvent } from './worker-event.js';
import { connectionOpeners } from '../serving/connection-openers.js';
import { membersAt, WorkerPool } from './worker-pool.js';

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
  numStats = 0;
  readonly assignments: AssignRequest[] = [];
  readonly loads: LoadRequest[] = [];
  readonly unloads: number[] = [];
  #server: RpcServer | undefined;

  async start(port = 0): Promise<void> {
    const service = bindService(workerService, {
      getStats: (_call, callback) => {
        this.numStats++;
        const { bootId, storeId } = this;
        const state = WorkerState.WORKER_STATE_IDLE;
        if (!this.isSilent) callback(null, WorkerStats.create({ bootId, storeId, dataPort: 9100, state }));
      },
      assign: ({ request }, callback) => {
        this.assignments.push(request);
        callback(null, { packedBytes: 1, memoryBytes: 1 });
      },
      load: (stream) => {
        this.loads.push(stream.request);
        const { placementVersion } = stream.request;
        stream.write({ placementVersion, loadedBytes: 40, totalBytes: 100, loadedLayers: 1, totalLayers: 2 });
        stream.end();
      },
      resetEpoch: () => undefined,
      unload: ({ request }, callback) => {
        this.unloads.push(request.epoch);
        callback(null, {});
      },
      drain: () => undefined,
    });
    this.#server = await startServer({ host: '127.0.0.1', port, portFlag: '--port', services: [service] });
  }

  async restart(): Promise<void> {
    this.bootId = 'boot-2';
    await this.start(this.port);
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }

  async close(): Promise<void> {
    await this.#server?.close(0);
  }
}

async function startPool(prepare: (worker: RecordingWorker) => void = () => undefined) {
  const worker = new RecordingWorker();
  prepare(worker);
  await worker.start();
  cleanUps.push(() => worker.close());
  const clock = new DrivenClock();
  const events: WorkerEvent[] = [];
  const pool = new WorkerPool({
    storeId: 'store-1',
    heartbeatIntervalMs: HEARTBEAT_INTERVAL_MS,
    heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
    onEvent: (event) => events.push(event),
    clock,
    random: () => 0,
    openClient: connectionOpeners(undefined, clock).openClient,
  });
  cleanUps.push(() => {
    pool.close();
  });
  const members = membersAt([{ host: '127.0.0.1', port: worker.port }]);
  pool.setMembers(members);
  const [{ workerId } = { workerId: '' }] = members;
  const told = (): string[] => events.map(({ type }) => type).filter((type) => type !== 'stats');
  return { pool, worker, workerId, members, clock, events, told, isUp: () => pool.status()[0]?.phase === 'up' };
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
  it('tells that a worker is up and where its data plane is, and its stats with every heartbeat', async () => {
    const started = await startPool();
    const { events, workerId, isUp } = started;
    await until(isUp);
    await heartbeat(started);
    expect(events[0]).toEqual({ type: 'up', workerId, dataAddress: '127.0.0.1:9100', bootId: 'boot-1' });
    await until(() => events.length >= 3);
    expect(events.slice(1).map(({ type }) => type)).toEqual(['stats', 'stats']);
  });

  it('notices a silent worker, and one that comes back as another process', async () => {
    const { worker, clock, events, told, isUp } = await startPool();
    await until(isUp);
    worker.isSilent = true;
    clock.advance(HEARTBEAT_INTERVAL_MS);
    await until(() => worker.numStats === 2);
    clock.advance(HEARTBEAT_TIMEOUT_MS);
    await until(() => events.at(-1)?.type === 'down');
    expect(events.at(-1)).toMatchObject({ reason: expect.stringContaining('within 1000 ms') as string });
    await worker.close();
    worker.isSilent = false;
    await worker.restart();
    clock.advance(100);
    await until(isUp);
    expect(told()).toEqual(['up', 'down', 'up']);
    expect(events.find((event) => event.type === 'up' && event.bootId === 'boot-2')).toBeDefined();
  });

  it('notices a worker that was restarted between two heartbeats', async () => {
    const { worker, clock, told, isUp } = await startPool();
    await until(isUp);
    worker.bootId = 'boot-2';
    clock.advance(HEARTBEAT_INTERVAL_MS);
    await until(() => told().length === 3 && isUp());
    expect(told()).toEqual(['up', 'down', 'up']);
  });

  it('refuses a worker of another store, and takes it once it has the right one', async () => {
    const { pool, worker, clock, events, isUp } = await startPool((started) => {
      started.storeId = 'store-2';
    });
    await until(() => events.length === 1);
    expect(events[0]).toMatchObject({
      type: 'down',
      reason: expect.stringContaining('start both with the same store') as string,
    });
    expect(pool.status()[0]?.lastError).toContain('store-2');
    worker.storeId = 'store-1';
    clock.advance(100);
    await until(isUp);
  });

  it('commands a worker that is up: assigns, loads with progress, and unloads', async () => {
    const { pool, worker, workerId, isUp } = await startPool();
    expect(pool.commands(workerId)).toBeUndefined();
    await until(isUp);
    const request = { placementVersion: 3, storeId: 'store-1', epoch: 7, shards: [{ layerIndex: 1, expertIds: [0] }] };
    const progress: number[] = [];
    const sources = ['10.0.0.1:9101'];
    await pool.commands(workerId)?.hold({ ...request, sources }, ({ loadedBytes }) => progress.push(loadedBytes));
    await pool.commands(workerId)?.unload(8);
    expect(worker.assignments).toEqual([request]);
    expect(worker.loads).toEqual([{ placementVersion: 3, epoch: 7, sources }]);
    expect(worker.unloads).toEqual([8]);
    expect(progress).toEqual([40]);
  });

  it('asks for stats at once when it is told to, and goes on in intervals', async () => {
    const started = await startPool();
    const { pool, worker, workerId, clock, isUp } = started;
    await until(isUp);
    pool.refresh(workerId);
    await until(() => worker.numStats === 2);
    await until(() => clock.nextInMs === HEARTBEAT_INTERVAL_MS);
    await heartbeat(started);
    expect(worker.numStats).toBe(3);
  });

  it('forgets members that have gone, and connects anew to those that have moved', async () => {
    const { pool, members, workerId, told, isUp } = await startPool();
    await until(isUp);
    pool.setMembers(members);
    expect(told()).toEqual(['up']);
    pool.setMembers([{ workerId, controlAddress: { host: '127.0.0.1', port: 1 } }]);
    expect(told()).toEqual(['up', 'down']);
    pool.setMembers([]);
    expect(told()).toEqual(['up', 'down', 'forgotten']);
    expect(pool.status()).toEqual([]);
  });

  it('is silent after close and leaves no timer', async () => {
    const { pool, worker, clock, events, isUp } = await startPool();
    await until(isUp);
    const numEvents = events.length;
    pool.close();
    await worker.close();
    clock.advance(10_000);
    expect(clock.numTimers).toBe(0);
    expect(events.length).toBe(numEvents);
  });
});
