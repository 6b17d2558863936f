import { expect } from 'vitest';
import { Changes, type AuditEntry } from '@expertmesh/coordinator/control/change/changes';
import { Drains } from '@expertmesh/coordinator/control/change/drains';
import { LeaderDuties } from '@expertmesh/coordinator/control/leading/leader-duties';
import { type Office } from '@expertmesh/coordinator/control/leading/leadership';
import { PlacementStore } from '@expertmesh/coordinator/control/placement/placement-store';
import { numReplicasIn, shardsOf, type Shards } from '@expertmesh/coordinator/control/placement/shards';
import { Planner } from '@expertmesh/coordinator/control/planning/planner';
import { WorkerAdmission } from '@expertmesh/coordinator/control/leading/worker-admission';
import { KnownWorkers } from '@expertmesh/coordinator/control/workers/known-workers';
import { EmbeddedControlPlane } from '@expertmesh/shared/control-plane/embedded-control-plane';
import { WorkerCapacity, WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { planPlacement } from '@expertmesh/shared/placement/plan-placement';
import { createLogger } from '@expertmesh/shared/process/logger';
import { DrivenClock } from './driven-clock.js';

const logger = createLogger({ name: 'test', level: 'silent' });
const model = { layerIndices: [0, 1], numExperts: 8 };
export const REPAIR_AFTER_MS = 30_000;
const uniform = {
  ...model,
  topK: 2,
  numSteps: 1,
  layers: model.layerIndices.map((layerIndex) => ({ layerIndex, tokens: new Float64Array(8) })),
};

/** A cluster whose workers hold at once whatever they should. */
export async function setUpLeader(
  changed: { fixed?: Placement; minWorkers?: number; controlPlane?: EmbeddedControlPlane } = {},
) {
  const clock = new DrivenClock();
  const { controlPlane = new EmbeddedControlPlane(logger), fixed, minWorkers = 2 } = changed;
  const known = new KnownWorkers(clock);
  const waiting: string[] = [];
  const audits: AuditEntry[] = [];
  const complaints: string[] = [];
  const world = { holdsAll: (): boolean => true, isSettled: true };
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
  const has = (workerId: string): boolean => known.get(workerId) !== undefined;
  const admission = new WorkerAdmission(store, { known, has, isRegistered: has }, clock);
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
  const onAudit = (entry: AuditEntry): void => void audits.push(entry);
  const drains = new Drains({ admission, planner, changes, onAudit, clock });
  const duties = new LeaderDuties({
    store,
    known,
    admission,
    planner,
    changes,
    drains,
    whyUnsettled: () => (world.isSettled ? undefined : 'worker a has not loaded'),
    model,
    first: { fixed, minWorkers, policy: 'contiguous', redundantExperts: 0, survive: 0 },
    repairAfterMs: REPAIR_AFTER_MS,
    replacementWaitMs: 0,
    onWaiting: (because) => waiting.push(because),
    onAudit,
    logger: createLogger({
      name: 'test',
      level: 'warn',
      destination: { write: (line) => complaints.push((JSON.parse(line) as { reason: string }).reason) },
    }),
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
    planner,
    changes,
    drains,
    duties,
    office,
    begin,
    up,
    pass,
    held,
    waiting,
    complaints,
    audits,
    world,
  };
}

export async function setUpPlaced() {
  const all = await setUpLeader();
  for (const workerId of ['a', 'b', 'c']) all.up(workerId);
  const office = all.begin(1);
  await all.pass(3_000);
  expect(all.store.inForce).toMatchObject({ epoch: 1, version: 1 });
  return { ...all, begun: office };
}
