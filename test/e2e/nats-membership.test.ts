import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  RebalanceRequest,
  WorkerAdmission,
  WorkerAvailability,
  WorkerCommand,
} from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { adminService } from '@expertmesh/shared/rpc/services';
import { packDemoStore } from '@expertmesh/test-kit/demo-store';
import { expertMemoryBytes } from '@expertmesh/test-kit/expert-memory';
import { eventually } from '@expertmesh/test-kit/eventually';
import { NatsCluster, replicasByWorker, replicasIn, stopClusters } from '@expertmesh/test-kit/nats-cluster';
import { describeNats } from '@expertmesh/test-kit/nats-server';
import { StreamLoad, streamAnswer } from '@expertmesh/test-kit/stream-load';
import { decidedQuestions } from './demo-questions.js';

const NUM_STREAMS = 16;
const NUM_REPLICAS = 4 * 128;
/** Memory of five workers, in shares. */
const SHARES = { w1: 1, w2: 1, w3: 2, w4: 3, w5: 5 } as const;
/**
 * A share is so small that the whole model just fits, with what moving needs: an equal split would be too much for w1
 * and w2.
 */
const EXPERTS_PER_SHARE = 67;
const SETTLES_WITHIN_MS = 20_000;

const actor = 'test';
const worker = (workerId: string): WorkerCommand => WorkerCommand.create({ workerId, actor });

describeNats('a cluster of two coordinators and five workers with memory 1:1:2:3:5', () => {
  const questions = decidedQuestions(NUM_STREAMS);
  let cluster: NatsCluster;
  let shareBytes: number;

  beforeAll(async () => {
    const storeDir = await packDemoStore();
    shareBytes = EXPERTS_PER_SHARE * (await expertMemoryBytes(storeDir));
    cluster = await NatsCluster.start({
      storeDir,
      coordinatorIds: ['c1', 'c2'],
      workers: Object.entries(SHARES).map(([workerId, share]) => ({ workerId, memoryBudgetBytes: share * shareBytes })),
      // Whatever is better is done: what is looked at is the change, not what it is worth.
      coordinatorFlags: ['--rebalance-min-gain', '0'],
    });
  });
  afterAll(stopClusters);

  const c1 = () => cluster.coordinator('c1');
  const c2 = () => cluster.coordinator('c2');

  /**
   * Waits until both coordinators and all workers agree on who holds what, and checks that it is what there is room
   * for.
   */
  async function expectSettledWithinBudgets(): Promise<Map<string, Set<string>>> {
    let placed = new Map<string, Set<string>>();
    await eventually(async () => {
      const [placement, other] = await Promise.all([c1().placement(), c2().placement()]);
      expect(other.version).toBe(placement.version);
      placed = replicasByWorker(placement);
      for (const [workerId, running] of cluster.workers)
        if (!running.process.hasExited)
          expect(replicasIn(await running.stats())).toEqual(placed.get(workerId) ?? new Set());
      for (const { workerId, numReplicas, memoryUsedBytes, memoryBudgetBytes } of (await c2().view()).workers) {
        expect(numReplicas, workerId).toBe(placed.get(workerId)?.size ?? 0);
        expect(memoryUsedBytes, workerId).toBeLessThanOrEqual(memoryBudgetBytes);
      }
    }, SETTLES_WITHIN_MS);
    expect(new Set([...placed.values()].flatMap((replicas) => [...replicas])).size).toBe(NUM_REPLICAS);
    return placed;
  }

  it('places every expert within the budgets', async () => {
    const placed = await expectSettledWithinBudgets();
    for (const [workerId, share] of Object.entries(SHARES)) {
      const { memoryBudgetBytes } = await c1().workerView(workerId);
      expect(memoryBudgetBytes).toBe(share * shareBytes);
      expect(placed.get(workerId)?.size).toBeGreaterThan(0);
    }
    // Equal shares would not fit.
    expect(NUM_REPLICAS / 5).toBeGreaterThan(EXPERTS_PER_SHARE);
  });

  it('adds, cordons, drains and removes workers and rebalances while 16 streams keep their tokens', async () => {
    const quiet: string[] = [];
    for (const [index, { question }] of questions.entries())
      quiet.push(await answerOf(index % 2 === 0 ? c1() : c2(), question));
    expect(quiet).toEqual(questions.map(({ answerText }) => answerText));

    const load = new StreamLoad([c1().openai, c2().openai], questions);
    await load.round();

    await cluster.addWorker({ workerId: 'w6', memoryBudgetBytes: 2 * shareBytes });
    await eventually(async () => {
      for (const coordinator of [c1(), c2()]) {
        const { availability } = await coordinator.workerView('w6');
        expect(availability).toBe(WorkerAvailability.WORKER_AVAILABILITY_UP);
      }
    }, SETTLES_WITHIN_MS);
    await c2().change(adminService.rebalance, RebalanceRequest.create({ actor }));
    const withSixth = await expectSettledWithinBudgets();
    expect(withSixth.get('w6')?.size).toBeGreaterThan(0);
    await load.round();

    await c1().call(adminService.cordonWorker, worker('w3'));
    await c2().change(adminService.drainWorker, worker('w1'));
    const withoutFirst = await expectSettledWithinBudgets();
    expect(withoutFirst.get('w1')?.size ?? 0).toBe(0);
    const gainedByCordoned = [...(withoutFirst.get('w3') ?? [])].filter(
      (replica) => !withSixth.get('w3')?.has(replica),
    );
    expect(gainedByCordoned).toEqual([]);
    expect((await c1().workerView('w1')).admission).toBe(WorkerAdmission.WORKER_ADMISSION_DRAINED);
    expect((await c1().workerView('w3')).admission).toBe(WorkerAdmission.WORKER_ADMISSION_CORDONED);
    await load.round();

    await c2().call(adminService.removeWorker, worker('w1'));
    expect(await cluster.worker('w1').process.stop('SIGTERM')).toBe(0);
    await eventually(async () => {
      for (const coordinator of [c1(), c2()])
        await expect(coordinator.workerView('w1')).rejects.toThrow(/knows no worker/);
    });
    await c1().call(adminService.uncordonWorker, worker('w3'));
    await c1().change(adminService.rebalance, RebalanceRequest.create({ actor }));
    const rebalanced = await expectSettledWithinBudgets();
    expect([...rebalanced.keys()].filter((workerId) => (rebalanced.get(workerId)?.size ?? 0) > 0).sort()).toEqual([
      'w2',
      'w3',
      'w4',
      'w5',
      'w6',
    ]);
    await load.round();

    const { numAnswers, failures, wrong } = await load.stop();
    expect(failures).toEqual([]);
    expect(wrong).toEqual([]);
    expect(numAnswers).toBeGreaterThanOrEqual(5 * NUM_STREAMS);
    const { records } = await c2().call(adminService.listAudit, { limit: 0 });
    const actions = records.filter((record) => record.actor === actor).map(({ action, outcome }) => [action, outcome]);
    expect(actions.reverse()).toEqual([
      ['placement by balanced: rebalanced', 'done'],
      ['cordon worker w3', 'done'],
      ['drain worker w1', 'begun'],
      ['placement by balanced: worker w1 is drained', 'done'],
      ['drain worker w1', 'done'],
      ['remove worker w1', 'done'],
      ['uncordon worker w3', 'done'],
      ['placement by balanced: rebalanced', 'done'],
    ]);
  });
});

async function answerOf(
  coordinator: { readonly openai: Parameters<typeof streamAnswer>[0] },
  question: string,
): Promise<string> {
  const pieces: string[] = [];
  for await (const piece of streamAnswer(coordinator.openai, question)) pieces.push(piece);
  return pieces.join('');
}

/** As workers count it with what computes on this machine. */
