import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  ApplyRequest,
  PlanRequest,
  WorkerAvailability,
  type PlacementView,
} from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { adminService } from '@expertmesh/shared/rpc/services';
import { packDemoStore } from '@expertmesh/test-kit/demo-store';
import { eventually } from '@expertmesh/test-kit/eventually';
import { NatsCluster, replicasByWorker, replicasIn, stopClusters } from '@expertmesh/test-kit/nats-cluster';
import { describeNats } from '@expertmesh/test-kit/nats-server';
import { pause } from '@expertmesh/test-kit/process';
import { StreamLoad, type LoadReport } from '@expertmesh/test-kit/stream-load';
import { decidedQuestions } from './demo-questions.js';

const NUM_STREAMS = 16;
const NUM_EXPERTS = 4 * 128;
const REPAIR_AFTER_MS = 4_000;
/** From the death of a worker. */
const REPAIRED_WITHIN_MS = REPAIR_AFTER_MS + 15_000;

describeNats('a cluster whose workers are killed under 16 streams', () => {
  const questions = decidedQuestions(NUM_STREAMS);
  let cluster: NatsCluster;

  beforeAll(async () => {
    const storeDir = await packDemoStore();
    cluster = await NatsCluster.start({
      storeDir,
      coordinatorIds: ['c1', 'c2'],
      workers: ['w1', 'w2', 'w3', 'w4'].map((workerId) => ({ workerId })),
      // Who needs what is lost fails at once here; test/chaos/last-replica.test.ts has those that wait.
      coordinatorFlags: ['--survive', '1', '--repair-after-ms', String(REPAIR_AFTER_MS), '--replacement-wait-ms', '0'],
    });
  });
  afterAll(stopClusters);

  const c1 = () => cluster.coordinator('c1');
  const c2 = () => cluster.coordinator('c2');
  const startLoad = () => new StreamLoad([c1().openai, c2().openai], questions);

  /** Waits until every expert is with so many of the workers that live, in the placement and in their memory. */
  async function expectReplicas(numReplicas: number): Promise<PlacementView> {
    let placement = await c1().placement();
    await eventually(async () => {
      placement = await c1().placement();
      expect((await c2().placement()).version).toBe(placement.version);
      const placed = replicasByWorker(placement);
      const counts = new Map<string, number>();
      for (const [workerId, { process }] of cluster.workers) {
        const replicas = placed.get(workerId) ?? new Set();
        if (process.hasExited) {
          expect(replicas, workerId).toEqual(new Set());
          continue;
        }
        expect(replicasIn(await cluster.worker(workerId).stats()), workerId).toEqual(replicas);
        for (const replica of replicas) counts.set(replica, (counts.get(replica) ?? 0) + 1);
      }
      expect(counts.size).toBe(NUM_EXPERTS);
      expect(Math.min(...counts.values())).toBeGreaterThanOrEqual(numReplicas);
    }, REPAIRED_WITHIN_MS);
    return placement;
  }

  it('loses no request with --survive 1, and has all replicas again after --repair-after-ms', async () => {
    const { version } = await expectReplicas(2);
    const load = startLoad();
    await load.round();
    await cluster.worker('w2').process.stop('SIGKILL');
    const repaired = await expectReplicas(2);
    expect(repaired.version).toBeGreaterThan(version);
    expect(repaired.reason).toMatch(/w2 is dead/);
    await load.round();
    expectNoneNoticed(await load.stop());
    expect(await numFailovers(c1().url)).toBeGreaterThan(0);
    expect(await numFailovers(c2().url)).toBeGreaterThan(0);
  });

  it('takes the killed worker back without experts that it does not need', async () => {
    await cluster.addWorker({ workerId: 'w2' });
    await eventually(async () => {
      const { availability, numReplicas } = await c2().workerView('w2');
      expect(availability).toBe(WorkerAvailability.WORKER_AVAILABILITY_UP);
      expect(numReplicas).toBe(0);
    }, REPAIRED_WITHIN_MS);
  });

  it('fails with the reason where the only replica is lost, until it has been loaded elsewhere', async () => {
    const plan = await c1().call(
      adminService.planPlacement,
      PlanRequest.create({ policy: 'contiguous', redundantExperts: 0, survive: 0 }),
    );
    await c1().change(adminService.applyPlacement, ApplyRequest.create({ plan, actor: 'test' }));
    await expectReplicas(1);

    const load = startLoad();
    await load.round();
    const numBefore = load.numAnswers;
    await cluster.worker('w3').process.stop('SIGKILL');
    await eventually(() => {
      expect(load.failures.length).toBeGreaterThanOrEqual(NUM_STREAMS);
    });
    await expectReplicas(1);
    await Promise.all([c1().ready(REPAIRED_WITHIN_MS), c2().ready(REPAIRED_WITHIN_MS)]);
    // Whoever was refused a moment ago asks again.
    await pause(500);
    const numFailures = load.failures.length;
    await load.round();
    const { failures, wrong, numAnswers } = await load.stop();
    expect(wrong).toEqual([]);
    expect(numAnswers).toBeGreaterThan(numBefore);
    expect(failures.some(({ message }) => message.includes('worker w3'))).toBe(true);
    expect(failures.length).toBe(numFailures);
    for (const { message, textBefore, rightText } of failures) {
      // In the end it is there again, and not yet seen to compute.
      expect(message).toMatch(/worker w3|canary token/);
      expect(rightText.startsWith(textBefore), `${textBefore}\nis not the beginning of\n${rightText}`).toBe(true);
    }
  });
});

function expectNoneNoticed({ failures, wrong }: LoadReport): void {
  expect(failures).toEqual([]);
  expect(wrong).toEqual([]);
}

/** Calls of a coordinator that another replica has answered. */
async function numFailovers(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const counts = [...metrics.matchAll(/^expertmesh:dispatch_failovers_total\{.*worker="w2".*\} (\d+)$/gm)];
  return counts.reduce((total, [, count]) => total + Number(count), 0);
}
