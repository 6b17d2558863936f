import { WorkerCapacity, WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type ExpertLoads } from '@expertmesh/shared/placement/expert-loads';
import { type PlacementDocument } from '@expertmesh/shared/cluster/placement-document';
import { contiguousPlacement } from '@expertmesh/shared/placement/placement';
import { planPlacement } from '@expertmesh/shared/placement/plan-placement';
import { describe, expect, it } from 'vitest';
import { type KnownWorker } from '../workers/known-workers.js';
import { placementFromView } from './plan-message.js';
import { achievedSurvival, redundantExpertsOf, toPlanMessage, toWish } from './plan-request.js';
import { Planner, type PlanWish } from './planner.js';

const NUM_EXPERTS = 16;
const layerIndices = [0, 2];
/** Expert 0 gets half of all tokens. */
const loads: ExpertLoads = {
  numExperts: NUM_EXPERTS,
  topK: 2,
  numSteps: 100,
  layers: layerIndices.map((layerIndex) => ({
    layerIndex,
    tokens: Array.from({ length: NUM_EXPERTS }, (_, expertId) => (expertId === 0 ? 3_000 : 200)),
  })),
};
const worker = (workerId: string, numReplicas: number): KnownWorker => ({
  workerId,
  state: 'up',
  stateSinceMs: 0,
  reason: '',
  holds: [],
  stats: WorkerStats.create({
    memoryBudgetBytes: numReplicas * 1_000,
    capacity: WorkerCapacity.create({ expertMemoryBytes: 1_000, memoryBytesPerSecond: 1e9, failureDomain: workerId }),
  }),
});
const document: PlacementDocument = {
  formatVersion: 1,
  storeId: 'store-1',
  epoch: 1,
  policy: 'contiguous',
  actor: 'me',
  reason: 'first',
  createdMs: 0,
  redundantExperts: 0,
  survive: 0,
  placement: contiguousPlacement(4, layerIndices, NUM_EXPERTS, ['a', 'b', 'c', 'd']),
};

const planner = (workers: KnownWorker[], current: PlacementDocument | null = document) =>
  waitingFor(
    new Planner({
      facts: () => ({
        workers,
        admissions: {},
        previous: current?.placement,
        expertSize: { packedBytes: 1_000, memoryBytes: 1_000 },
        secondsPerRow: 1e-9,
        numLayers: layerIndices.length,
      }),
      loads: () => loads,
      current: () => current ?? undefined,
      nextVersion: () => 7,
      moveBytesPerSecond: undefined,
      plan: ({ policy, cluster, loads: counted, options }) =>
        Promise.resolve(planPlacement(policy, cluster, counted, { ...options, maxIterations: 5_000 })),
    }),
  );
const waitingFor = (planner: Planner) => ({
  make: (wish: PlanWish) => planner.make(wish, new AbortController().signal),
});
const four = ['a', 'b', 'c', 'd'].map((workerId) => worker(workerId, 30));

describe('Planner', () => {
  it('places every lost expert once where the workers left have no room for the redundancy', async () => {
    const three = four.slice(1);
    const made = await planner(three.map(({ workerId }) => worker(workerId, 12))).make({
      policy: 'balanced',
      survive: 1,
      leaving: new Set(['a']),
    });
    const { placement } = made.plan;
    for (const layer of placement.replicas.values())
      for (const holders of layer) expect(holders.map((holder) => placement.workerIds[holder])).not.toContain('a');
    expect([...placement.replicas.values()].flat(2)).toHaveLength(2 * NUM_EXPERTS);
    expect(made.survive).toBe(1);
    expect(made.remarks.join()).toContain('no room for the redundancy');
  });

  it('plans nothing less than the redundancy where no expert is lost', async () => {
    const small = four.map(({ workerId }) => worker(workerId, 10));
    const wish = { policy: 'balanced', survive: 1 } as const;
    await expect(planner(small).make(wish)).rejects.toMatchObject({ code: 'resource_exhausted' });
    await expect(planner(small).make({ ...wish, leaving: new Set(['e']) })).rejects.toMatchObject({
      code: 'resource_exhausted',
    });
  });

  it('plans from what is in force and was observed, and says what it promises', async () => {
    const made = await planner(four).make({ policy: 'balanced', redundantExperts: 4 });
    expect(made.baseVersion).toBe(4);
    expect(made.plan.placement.version).toBe(7);
    expect(made.observedTokens).toBe(3_000);
    expect(made.before?.balancedness.mean).toBeLessThan(0.5);
    expect(made.after.balancedness.mean).toBeGreaterThan(0.85);
    expect(made.plan.diff.numLoads).toBeGreaterThan(0);
    expect(redundantExpertsOf(made.plan.placement)).toBe(4);
  });

  it('has as many redundant experts as what is in force unless it is told another number', async () => {
    const made = await planner(four, { ...document, redundantExperts: 2, survive: 0 }).make({ policy: 'eplb' });
    expect(redundantExpertsOf(made.plan.placement)).toBe(2);
  });

  it('moves nothing that need not move when it is urgent', async () => {
    const leaving = new Set(['d']);
    const calm = await planner(four).make({ policy: 'balanced', leaving });
    const urgent = await planner(four).make({ policy: 'balanced', leaving, isUrgent: true });
    expect(urgent.plan.diff.numLoads).toBe(8);
    expect(calm.plan.diff.numLoads).toBeGreaterThanOrEqual(8);
    expect(calm.after.stepSeconds).toBeLessThanOrEqual(urgent.after.stepSeconds);
    expect(urgent.plan.placement.replicas.get(0)?.flat()).not.toContain(urgent.plan.placement.workerIds.indexOf('d'));
  });

  it('gives experts to the named workers alone, and refuses a name that nobody has', async () => {
    const made = await planner(four).make({ policy: 'balanced', workerIds: ['a', 'c'] });
    const holders = new Set(
      made.plan.placement.replicas
        .get(0)
        ?.flat()
        .map((index) => made.plan.placement.workerIds[index]),
    );
    expect(holders).toEqual(new Set(['a', 'c']));
    await expect(planner(four).make({ policy: 'balanced', workerIds: ['x'] })).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  it('plans without room to move where there is none, and says so; fails where memory is missing', async () => {
    const tight = ['a', 'b', 'c', 'd'].map((workerId) => worker(workerId, 8));
    const made = await planner(tight, null).make({ policy: 'contiguous' });
    expect(made.remarks.join()).toContain('no memory left for moving');
    expect(made.baseVersion).toBe(0);
    await expect(planner(tight.slice(1), null).make({ policy: 'contiguous' })).rejects.toMatchObject({
      code: 'resource_exhausted',
    });
  });

  it('says when one box would be faster, and does not where no box has the memory', async () => {
    const remarkOf = async (workers: KnownWorker[]): Promise<string> =>
      (await planner(workers, null).make({ policy: 'balanced' })).remarks.join();
    const dear = [worker('big', 40), worker('small', 20)];
    const expensive = new Planner({
      facts: () => ({
        workers: dear,
        admissions: {},
        previous: undefined,
        expertSize: { packedBytes: 1_000, memoryBytes: 1_000 },
        secondsPerRow: 1,
        numLayers: 2,
      }),
      loads: () => loads,
      current: () => undefined,
      nextVersion: () => 1,
      moveBytesPerSecond: undefined,
      plan: ({ policy, cluster, loads: counted, options }) =>
        Promise.resolve(planPlacement(policy, cluster, counted, { ...options, maxIterations: 100 })),
    });
    expect((await waitingFor(expensive).make({ policy: 'contiguous' })).remarks.join()).toContain(
      'one box would be faster: big',
    );
    expect(await remarkOf([worker('a', 20), worker('b', 20)])).not.toContain('one box');
  });
});

describe('a plan as AdminService shows it', () => {
  it('comes back as the placement that it was', async () => {
    const made = await planner(four).make({ policy: 'balanced', redundantExperts: 4 });
    const message = toPlanMessage(made, 'balanced', layerIndices, loads);
    expect(message).toMatchObject({ baseVersion: 4, observedTokens: 3_000, numLoads: made.plan.diff.numLoads });
    expect(message.after?.meanBalancedness).toBe(made.after.balancedness.mean);
    expect(message.placement?.layers[0]?.expertTokens[0]).toBe(3_000);
    const { placement: view } = message;
    if (view === undefined) throw new Error('a plan has a placement');
    expect(placementFromView(view, layerIndices)).toEqual(made.plan.placement);
  });

  it('is refused when it is no placement of the model', async () => {
    const made = await planner(four).make({ policy: 'contiguous' });
    const { placement: view } = toPlanMessage(made, 'contiguous', layerIndices, loads);
    if (view === undefined) throw new Error('a plan has a placement');
    const refused = (changed: Partial<typeof view>) =>
      expect(() => placementFromView({ ...view, ...changed }, layerIndices)).toThrow(
        'the plan is no placement of this model',
      );
    refused({ layers: view.layers.slice(1) });
    refused({ numExperts: 3 });
    refused({ workerIds: ['a'] });
    refused({ layers: view.layers.map((layer) => ({ ...layer, offsets: layer.offsets.map(() => 0) })) });
  });

  it('knows its policies, and how many failures it survives', () => {
    expect(toWish({ policy: '', workerIds: [], timeBudgetSeconds: 3 })).toMatchObject({
      policy: 'balanced',
      timeBudgetMs: 3_000,
    });
    expect(() => toWish({ policy: 'best', workerIds: [], timeBudgetSeconds: 0 })).toThrow("policy is 'best'");
    const twice = {
      ...document.placement,
      replicas: new Map([
        [
          0,
          [
            [0, 1],
            [0, 2],
          ],
        ],
      ]),
    };
    expect(achievedSurvival(twice, (workerId) => workerId)).toBe(1);
    expect(achievedSurvival(twice, (workerId) => (workerId === 'c' ? 'a' : workerId))).toBe(0);
  });
});
