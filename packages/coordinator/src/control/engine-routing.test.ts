import { WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { createLogger } from '@expertmesh/shared/process/logger';
import { describe, expect, it } from 'vitest';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { type WorkerCosts } from '../dispatch/worker-cost.js';
import { type WorkerEvent } from '../membership/worker-event.js';
import { EngineRouting } from './engine-routing.js';
import { KnownWorkers } from './workers/known-workers.js';

const placement: Placement = { version: 1, numExperts: 1, workerIds: ['a'], replicas: new Map([[0, [[0]]]]) };

function setUp() {
  const clock = new DrivenClock();
  const known = new KnownWorkers(clock);
  const told = {
    placements: [] as Placement[],
    costs: [] as WorkerCosts[],
    forgotten: [] as string[],
    irreplaceable: [] as string[],
  };
  const routing = new EngineRouting({
    store: { inForce: { formatVersion: 1, epoch: 1, version: 1 }, routing: placement },
    membership: { known, pool: { commands: () => undefined, refresh: () => undefined, status: () => [] } },
    irreplaceable: () => known.list().flatMap(({ workerId, state }) => (state === 'up' ? [workerId] : [])),
    heartbeatTimeoutMs: 1_000,
    onApplied: () => undefined,
    logger: createLogger({ name: 'test', level: 'silent' }),
    clock,
  });
  routing.attach({
    setPlacement: (taken) => {
      told.placements.push(taken);
      return Promise.resolve();
    },
    setWorkerCosts: (costs) => told.costs.push(costs),
    setIrreplaceable: (workerIds) => told.irreplaceable.push(workerIds.join()),
    setWorkerUp: () => undefined,
    setWorkerDown: () => undefined,
    forgetWorker: (workerId) => told.forgotten.push(workerId),
    probeReplica: () => Promise.resolve(Float32Array.of(1)),
    dispatchStats: () => ({
      placementVersion: 1,
      workers: [],
      failovers: [],
      wrongAnswers: [],
      quarantined: [],
      hedges: [],
    }),
    load: () => routing.load(),
    secondsPerRow: () => 0,
  });
  const tell = (event: WorkerEvent): void => {
    known.apply(event);
    routing.workerEvent(event);
  };
  const heartbeat = (secondsPerActiveExpert: number): void => {
    const stats = WorkerStats.fromPartial({
      shards: [{ layerIndex: 0, expertIds: [0] }],
      capacity: { secondsPerActiveExpert },
    });
    tell({ type: 'stats', workerId: 'a', stats });
  };
  tell({ type: 'up', workerId: 'a', dataAddress: 'a:1', bootId: 'boot-1' });
  return { clock, told, tell, heartbeat };
}

describe('EngineRouting', () => {
  it('tells the engine what workers cost every few seconds, where that has changed, and no placement', async () => {
    const { clock, told, heartbeat } = setUp();
    for (let second = 0; second < 60; second++) {
      // Flips with every heartbeat, as figures near a limit do; then the process is started again and knows none.
      heartbeat(second >= 50 ? 0 : second % 2 === 0 ? 10e-6 : 20e-6);
      clock.advance(1_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(told.placements).toEqual([placement]);
    expect(told.costs.length).toBeGreaterThan(1);
    expect(told.costs.length).toBeLessThanOrEqual(60 / 5);
    expect(told.costs.at(-1)).toEqual(new Map());
  });

  it('tells the engine whose experts find no room elsewhere, when that has changed', () => {
    const { told, tell } = setUp();
    tell({ type: 'up', workerId: 'b', dataAddress: 'b:1', bootId: 'boot-1' });
    tell({ type: 'down', workerId: 'a', reason: 'it died' });
    tell({ type: 'down', workerId: 'a', reason: 'it died' });
    expect(told.irreplaceable).toEqual(['', 'a', 'a,b', 'b']);
  });

  it('has the engine forget a worker that is no member any more', () => {
    const { told, tell } = setUp();
    tell({ type: 'forgotten', workerId: 'a' });
    expect(told.forgotten).toEqual(['a']);
  });
});
