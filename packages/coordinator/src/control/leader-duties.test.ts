import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { EmbeddedControlPlane } from '@expertmesh/shared/control-plane/embedded-control-plane';
import { WorkerCapacity, WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { contiguousPlacement, type Placement } from '@expertmesh/shared/placement/placement';
import { planPlacement } from '@expertmesh/shared/placement/plan-placement';
import { createLogger } from '@expertmesh/shared/process/logger';
import { describe, expect, it } from 'vitest';
import { DrivenClock } from '../../../../test/kit/driven-clock.js';
import { Changes, type AuditEntry } from './change/changes.js';
import { LeaderDuties } from './leader-duties.js';
import { type Office } from './leadership.js';
import { PlacementStore } from './placement/placement-store.js';
import { numReplicasIn, shardsOf, type Shards } from './placement/shards.js';
import { Planner } from './planning/planner.js';
import { WorkerAdmission } from './worker-admission.js';
import { KnownWorkers } from './workers/known-workers.js';

const logger = createLogger({ name: 'test', level: 'silent' });
const model = { layerIndices: [0, 1], numExperts: 8 };
const REPAIR_AFTER_MS = 30_000;
const uniform = {
  ...model,
  topK: 2,
  numSteps: 1,
  layers: model.layerIndices.map((layerIndex) => ({ layerIndex, tokens: new Float64Array(8) })),
};

/** A cluster whose workers hold at once whatever they should. */
async function setUp(changed: { fixed?: Placement; minWorkers?: number; controlPlane?: EmbeddedControlPlane } = {}) {
  const clock = new DrivenClock();
  const { controlPlane = new EmbeddedControlPlane(logger), fixed, minWorkers = 2 } = changed;
  const known = new KnownWorkers(clock);
  const waiting: string[] = [];
  const audits: AuditEntry[] = [];
  const world = { holdsAll: (): boolean => true };
  const store = new PlacementStore({
    bucket: controlPlane.placement,
    storeId: 'store-1',
    stateDirectory: { read: () => new Map(), write: () => undefined, delete: () => undefined },
    isUsable: () => true,
    logger,
    onChange: () => undefined,
  });
  const current = () => store.document(store.inForce?.version ?? 0);
  const planner = new Planner({
    facts: () => ({
      workers: known.list(),
      admissions: store.admissions.workers,
      previous: current()?.placement,
      expertSize: { packedBytes: 1_000, memoryBytes: 1_000 },
      secondsPerRow: 0,
      numLayers: 2,
    }),
    loads: () => uniform,
    current,
    nextVersion: () => store.nextVersion,
    moveBytesPerSecond: undefined,
    plan: ({ policy, cluster, loads, options }) =>
      Promise.resolve().then(() => planPlacement(policy, cluster, loads, { ...options, maxIterations: 500 })),
  });
  const admission = new WorkerAdmission(store, { known, has: (workerId) => known.get(workerId) !== undefined });
  const changes = new Changes({
    store,
    storeId: 'store-1',
    world: {
      setExtra: () => undefined,
      holdsAll: () => world.holdsAll(),
      holdsOnly: () => true,
      isUp: (workerId) => known.get(workerId)?.state === 'up',
      probe: () => Promise.resolve(Float32Array.of(1)),
      isApplied: () => true,
    },
    cannotTake: (workerId) => admission.cannotTake(workerId),
    expertBytes: 1_000,
    moveBytesPerSecond: undefined,
    onAudit: (entry) => audits.push(entry),
    logger,
    clock,
    wallMs: () => 0,
  });
  const duties = new LeaderDuties({
    store,
    known,
    admission,
    planner,
    changes,
    model,
    first: { fixed, minWorkers, policy: 'contiguous', redundantExperts: 0, survive: 0 },
    repairAfterMs: REPAIR_AFTER_MS,
    onWaiting: (because) => waiting.push(because),
    logger,
    clock,
  });
  const office = new AbortController();
  const begin = (epoch: number): Office => {
    const begun = { epoch, signal: office.signal };
    duties.begin(begun);
    return begun;
  };
  const up = (workerId: string, numReplicas = 12, shards: Shards = [], bootId = 'boot-1'): void => {
    known.apply({ type: 'up', workerId, dataAddress: `${workerId}:1`, bootId });
    const capacity = WorkerCapacity.create({ expertMemoryBytes: 1_000, failureDomain: workerId });
    const memoryBudgetBytes = numReplicas * 1_000;
    known.apply({
      type: 'stats',
      workerId,
      stats: WorkerStats.create({ capacity, memoryBudgetBytes, shards: [...shards], bootId }),
    });
  };
  /** Time passes in ticks, and everything that follows from it happens. */
  const pass = async (ms: number): Promise<void> => {
    for (const endMs = clock.nowMs() + ms; clock.nowMs() < endMs;) {
      clock.advance(Math.min(250, endMs - clock.nowMs()));
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const held = (workerId: string): number =>
    store.routing === undefined ? 0 : numReplicasIn(shardsOf(store.routing, workerId));
  await new Promise((resolve) => setImmediate(resolve));
  return {
    clock,
    controlPlane,
    known,
    store,
    admission,
    changes,
    duties,
    office,
    begin,
    up,
    pass,
    held,
    waiting,
    audits,
    world,
  };
}

async function setUpPlaced() {
  const all = await setUp();
  for (const workerId of ['a', 'b', 'c']) all.up(workerId);
  const office = all.begin(1);
  await all.pass(3_000);
  expect(all.store.inForce).toEqual({ formatVersion: 1, epoch: 1, version: 1 });
  return { ...all, begun: office };
}

describe('LeaderDuties', () => {
  it('places the experts of a static cluster at once, and that as version 1', async () => {
    const { store, begin, pass, audits } = await setUp({ fixed: contiguousPlacement(1, [0, 1], 8, ['a', 'b']) });
    begin(1);
    await pass(1);
    expect(store.inForce).toEqual({ formatVersion: 1, epoch: 1, version: 1 });
    expect(store.document(1)).toMatchObject({
      actor: 'expertmesh',
      policy: 'contiguous',
      reason: 'the first placement',
    });
    expect(audits).toHaveLength(1);
  });

  it('waits for enough workers with enough memory, and says what it waits for', async () => {
    const { store, begin, up, pass, waiting } = await setUp();
    begin(1);
    up('a', 10);
    await pass(1_000);
    expect(waiting.at(-1)).toBe('waiting for workers: 1 of 2 are up');
    up('b', 5);
    await pass(8_000);
    expect(waiting.at(-1)).toMatch(/memory|room|replicas/);
    expect(store.inForce).toBeUndefined();
    up('c', 10);
    await pass(10_000);
    expect(store.inForce?.version).toBe(1);
  });

  it('takes what workers hold for the placement when nobody remembers one', async () => {
    const { store, begin, up, pass } = await setUp();
    const before = contiguousPlacement(9, [0, 1], 8, ['b', 'a']);
    up('a', 12, shardsOf(before, 'a'));
    up('b', 12, shardsOf(before, 'b'));
    begin(1);
    await pass(1);
    expect(store.document(1)?.reason).toBe('what the workers hold');
    expect(store.routing?.workerIds).toEqual(['a', 'b']);
    expect(shardsOf(store.routing ?? before, 'a')).toEqual(shardsOf(before, 'a'));
  });

  it('has the experts of a dead worker loaded elsewhere, and gives it none when it comes back', async () => {
    const { store, known, up, pass, held, audits } = await setUpPlaced();
    expect(held('c')).toBeGreaterThan(0);
    known.apply({ type: 'down', workerId: 'c', reason: 'no answer' });
    await pass(REPAIR_AFTER_MS - 1_000);
    expect(store.inForce?.version).toBe(1);
    await pass(3_000);
    expect(store.inForce?.version).toBe(2);
    expect([held('a') + held('b'), held('c')]).toEqual([16, 0]);
    expect(store.document(2)?.reason).toBe('worker c is dead');
    expect(audits.at(-1)).toMatchObject({ before: 'version 1', after: 'version 2', outcome: 'done' });
    up('c');
    await pass(5_000);
    expect(store.inForce?.version).toBe(2);
  });

  it('says once why experts cannot be loaded elsewhere, and does it as soon as they can', async () => {
    const { store, known, up, pass, held } = await setUpPlaced();
    for (const workerId of ['b', 'c']) known.apply({ type: 'down', workerId, reason: 'no answer' });
    await pass(REPAIR_AFTER_MS + 10_000);
    expect(store.inForce?.version).toBe(1);
    up('d', 20);
    await pass(6_000);
    expect(held('a') + held('d')).toBe(16);
  });

  it('ends a drain that another leader had begun, and marks the worker as drained', async () => {
    const { store, admission, pass, held } = await setUpPlaced();
    await admission.set('a', 'draining');
    await pass(3_000);
    expect(held('a')).toBe(0);
    expect(admission.of('a')).toBe('drained');
    expect(store.document(2)?.reason).toBe('worker a is drained');
  });

  it('goes on with a change that another leader had begun', async () => {
    const first = await setUpPlaced();
    const { store, controlPlane, changes, begun, pass, world, duties, office } = first;
    world.holdsAll = () => false;
    const placement = contiguousPlacement(0, [0, 1], 8, ['b', 'a', 'c']);
    const order = { policy: 'contiguous', actor: 'me', reason: 'swap', redundantExperts: 0, survive: 0 } as const;
    const feed = await changes.start({ ...order, placement, expectedVersion: 1 }, begun);
    await pass(1_000);
    duties.end();
    office.abort();
    await pass(100);
    await expect(
      feed
        .follow()
        .next()
        .then(() => feed.follow().next()),
    ).resolves.toBeDefined();
    expect(store.inForce?.change?.toVersion).toBe(2);
    expect(changes.running).toBeUndefined();

    const next = await setUp({ controlPlane });
    for (const workerId of ['a', 'b', 'c']) next.up(workerId);
    next.begin(2);
    await next.pass(3_000);
    expect(next.store.inForce).toEqual({ formatVersion: 1, epoch: 2, version: 2 });
    expect(next.audits.at(-1)).toMatchObject({ actor: 'me', outcome: 'done' });
  });

  it('puts back what the control plane has lost', async () => {
    const { controlPlane, pass } = await setUpPlaced();
    await controlPlane.placement.delete('inForce');
    await controlPlane.placement.delete('document/1');
    await pass(500);
    expect(await controlPlane.placement.get('inForce')).toBeDefined();
    expect(await controlPlane.placement.get('document/1')).toBeDefined();
  });
});

describe('Changes', () => {
  const order = { policy: 'contiguous', actor: 'me', reason: 'swap', redundantExperts: 0, survive: 0 } as const;
  const swapped = contiguousPlacement(0, [0, 1], 8, ['b', 'a', 'c']);

  it('refuse plans of a placement that is not in force, and a second change', async () => {
    const { changes, begun, world } = await setUpPlaced();
    const stale = changes.start({ ...order, placement: swapped, expectedVersion: 7 }, begun);
    await expect(stale).rejects.toThrow('the plan was made from version 7, version 1 is in force');
    world.holdsAll = () => false;
    await changes.start({ ...order, placement: swapped, expectedVersion: 1 }, begun);
    const second = changes.start({ ...order, placement: swapped, expectedVersion: 1 }, begun);
    await expect(second).rejects.toThrow('a change to version 2 is under way');
  });

  it('refuse to give experts to a worker that takes none', async () => {
    const { changes, begun, known, admission } = await setUpPlaced();
    await admission.set('a', 'cordoned');
    const start = () => changes.start({ ...order, placement: swapped, expectedVersion: 1 }, begun);
    await expect(start()).rejects.toThrow('worker a, which is cordoned');
    await admission.set('a', 'accepting');
    known.apply({ type: 'down', workerId: 'a', reason: 'no answer' });
    await expect(start()).rejects.toThrow('worker a, which is away: no answer');
    expect(changes.running).toBeUndefined();
  });

  it('need nothing where every expert is where it should be', async () => {
    const { store, changes, begun } = await setUpPlaced();
    const placement = store.placement(1);
    if (placement === undefined) throw new Error('version 1 is there');
    const feed = await changes.start({ ...order, placement, expectedVersion: 1 }, begun);
    expect(feed.isOver).toBe(true);
    expect(store.inForce?.version).toBe(1);
    expect(changes.running).toBeUndefined();
  });

  it('are taken back when a step fails, and the audit says why', async () => {
    const { store, changes, begun, world, pass, audits } = await setUpPlaced();
    world.holdsAll = () => {
      throw new ExpertmeshError('resource_exhausted', 'worker a: full');
    };
    await changes.start({ ...order, placement: swapped, expectedVersion: 1 }, begun);
    await pass(1_000);
    expect(store.inForce).toEqual({ formatVersion: 1, epoch: 1, version: 1 });
    expect(audits.at(-1)?.outcome).toBe('rolled back: worker a: full');
    expect(changes.running).toBeUndefined();
  });
});

describe('WorkerAdmission', () => {
  it('lets workers be removed that hold nothing or are away, and remembers which process that was', async () => {
    const { store, known, admission, up } = await setUpPlaced();
    expect(() => {
      admission.requireRemovable('a');
    }).toThrow('drain it first');
    expect(() => {
      admission.requireRemovable('x');
    }).toThrow('there is no worker x');
    known.apply({ type: 'down', workerId: 'a', reason: 'no answer' });
    admission.requireRemovable('a');
    up('d');
    admission.requireRemovable('d');
    await admission.set('d', 'removed');
    expect(store.admissions.untilRestart).toEqual({ d: 'boot-1' });
    await admission.set('d', 'accepting');
    expect(store.admissions).toMatchObject({ workers: {}, untilRestart: {} });
  });

  it('takes another process in the place of a removed worker for a new worker', async () => {
    const { known, admission, up, pass } = await setUpPlaced();
    up('d');
    await admission.set('d', 'removed');
    await pass(1_000);
    expect(admission.of('d')).toBe('removed');
    known.apply({ type: 'down', workerId: 'd', reason: 'no answer' });
    up('d', 12, [], 'boot-2');
    await pass(1_000);
    expect(admission.of('d')).toBe('accepting');
    await admission.set('d', 'removed');
    await pass(1_000);
    expect(admission.of('d')).toBe('removed');
  });

  it('gives experts again to a worker that was drained to be started again, once it has been', async () => {
    const { store, known, admission, held, up, pass } = await setUpPlaced();
    await admission.set('a', 'draining', true);
    await pass(1_000);
    expect(held('a')).toBe(0);
    expect(admission.of('a')).toBe('drained');
    await pass(5_000);
    expect(held('a')).toBe(0);
    known.apply({ type: 'down', workerId: 'a', reason: 'no answer' });
    up('a', 12, [], 'boot-2');
    await pass(1_000);
    expect(admission.of('a')).toBe('accepting');
    expect(held('a')).toBeGreaterThan(0);
    const version = store.inForce?.version ?? 0;
    expect(store.document(version)?.reason).toBe('a: started again after a drain');
  });
});
