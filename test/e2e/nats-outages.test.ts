import { afterAll, beforeAll, expect, it } from 'vitest';
import { documentKey, IN_FORCE_KEY } from '@expertmesh/shared/cluster/cluster-keys';
import { parsePlacementInForce, type PlacementInForce } from '@expertmesh/shared/cluster/placement-document';
import { type KeyValueEntry } from '@expertmesh/shared/control-plane/control-plane';
import { NatsControlPlane } from '@expertmesh/shared/control-plane/nats-control-plane';
import { WorkerAdmission, WorkerCommand, type ClusterView } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { createLogger } from '@expertmesh/shared/process/logger';
import { adminService, workerService } from '@expertmesh/shared/rpc/services';
import { packDemoStore } from '@expertmesh/test-kit/demo-store';
import { eventually } from '@expertmesh/test-kit/eventually';
import {
  NatsCluster,
  replicasByWorker,
  stopClusters,
  type ClusterCoordinator,
} from '@expertmesh/test-kit/nats-cluster';
import { describeNats } from '@expertmesh/test-kit/nats-server';
import { pause } from '@expertmesh/test-kit/process';
import { StreamLoad } from '@expertmesh/test-kit/stream-load';
import { decidedQuestions } from './demo-questions.js';

const NUM_STREAMS = 16;
const OUTAGE_MS = process.env['EXPERTMESH_LONG_TESTS'] === '1' ? 60_000 : 12_000;
const CONVERGES_WITHIN_MS = 10_000;
const REBUILT_WITHIN_MS = 15_000;
const NEXT_LEADS_WITHIN_MS = 5_000;
const COORDINATOR_IDS = ['c1', 'c2'] as const;

const COMMAND = WorkerCommand.create({ workerId: 'w3', actor: 'test' });

describeNats('a cluster that loses nats-server, its store, and its leader under 16 streams', () => {
  const questions = decidedQuestions(NUM_STREAMS);
  let cluster: NatsCluster;
  let storeId: string;
  /** The control plane as one more member sees it. */
  let controlPlane: NatsControlPlane;

  beforeAll(async () => {
    const storeDir = await packDemoStore();
    cluster = await NatsCluster.start({
      storeDir,
      coordinatorIds: COORDINATOR_IDS,
      workers: ['w1', 'w2', 'w3'].map((workerId) => ({ workerId })),
      // So slow that a leader can be caught in the middle of a change.
      // Who needs a worker that is lost fails, and nothing moves for it.
      coordinatorFlags: ['--move-bytes-per-second', '1000000', '--replacement-wait-ms', '0'],
    });
    ({ storeId } = await cluster.worker('w1').stats());
    controlPlane = new NatsControlPlane({
      servers: [cluster.nats.url],
      cluster: 'default',
      clientName: 'test',
      logger: createLogger({ name: 'test', level: 'silent' }),
    });
  });
  afterAll(async () => {
    await stopClusters();
    await controlPlane.close();
  });

  const all = (): ClusterCoordinator[] => [...cluster.coordinators.values()];

  /** The leader by what all of these know, and the other one. */
  async function leaderAndOther(): Promise<[ClusterCoordinator, ClusterCoordinator]> {
    const { leaderId } = await expectAgreement(all());
    const otherId = COORDINATOR_IDS.find((coordinatorId) => coordinatorId !== leaderId) ?? '';
    return [cluster.coordinator(leaderId), cluster.coordinator(otherId)];
  }

  async function inForceInNats(): Promise<{ entry: KeyValueEntry; inForce: PlacementInForce }> {
    const entry = await controlPlane.placement.get(IN_FORCE_KEY);
    if (entry === undefined) throw new Error('nothing is in force in NATS');
    return { entry, inForce: parsePlacementInForce(entry.value) };
  }

  /** Runs under load over these coordinators, and requires that nobody noticed. */
  async function underLoad(coordinators: readonly ClusterCoordinator[], happen: () => Promise<void>): Promise<void> {
    const load = new StreamLoad(
      coordinators.map(({ openai }) => openai),
      questions,
    );
    await load.round();
    try {
      await happen();
      await load.round();
    } finally {
      const { failures, wrong } = await load.stop();
      expect(failures).toEqual([]);
      expect(wrong).toEqual([]);
    }
  }

  it(`serves on for ${String(OUTAGE_MS / 1000)} s without nats-server, and converges in 10 s after it`, async () => {
    const { placementVersion } = await expectAgreement(all());
    await underLoad(all(), async () => {
      await cluster.nats.stop();
      await pause(OUTAGE_MS);
      for (const coordinator of all()) {
        expect(await coordinator.view()).toMatchObject({ controlPlane: 'away', placementVersion, leaderId: '' });
        const refused = coordinator.call(adminService.cordonWorker, COMMAND);
        await expect(refused).rejects.toThrow('the control plane is away: ask again when it is back');
      }
      await cluster.nats.restart();
      expect(await expectAgreement(all())).toMatchObject({ placementVersion });
    });
  });

  it('rebuilds the placement within 15 s when nats-server has lost its store, and serves meanwhile', async () => {
    const { placementVersion } = await expectAgreement(all());
    await underLoad(all(), async () => {
      await cluster.nats.wipe();
      await cluster.nats.restart();
      await eventually(async () => {
        expect((await inForceInNats()).inForce.version).toBe(placementVersion);
        expect(await controlPlane.placement.get(documentKey(placementVersion))).toBeDefined();
      }, REBUILT_WITHIN_MS);
      expect(await expectAgreement(all())).toMatchObject({ placementVersion });
    });
  });

  it('is led by the other coordinator within 5 s of the death of the leader, and takes that one back', async () => {
    const [leader, other] = await leaderAndOther();
    const { epoch, placementVersion } = await leader.view();
    await underLoad([other], async () => {
      await leader.process.stop('SIGKILL');
      await eventually(async () => {
        expect((await other.view()).leaderId).toBe(other.coordinatorId);
      }, NEXT_LEADS_WITHIN_MS);
    });
    expect((await other.view()).epoch).toBeGreaterThan(epoch);
    await (await cluster.addCoordinator(leader.coordinatorId)).ready();
    expect(await expectAgreement(all())).toMatchObject({ leaderId: other.coordinatorId, placementVersion });
    await underLoad(all(), async () => Promise.resolve());
  });

  it('refuses what a paused leader writes and commands when it wakes up, and finishes what it had begun', async () => {
    const [paused, next] = await leaderAndOther();
    const { epoch: oldEpoch } = await paused.view();
    await underLoad([next], async () => {
      const drained = next.change(adminService.drainWorker, COMMAND);
      // It was passed on to the leader that is paused below, which answers no more.
      const ended = expect(drained).rejects.toThrow(/leads no longer: .*goes on under the next leader/);
      await eventually(async () => {
        expect((await inForceInNats()).inForce.change?.doneLayers.length).toBeGreaterThan(0);
      }, CONVERGES_WITHIN_MS);
      const late = await inForceInNats();
      paused.process.child.kill('SIGSTOP');
      await eventually(async () => {
        expect((await next.view()).leaderId).toBe(next.coordinatorId);
      }, NEXT_LEADS_WITHIN_MS);
      await ended;
      await eventually(async () => {
        expect((await next.workerView('w3')).admission).toBe(WorkerAdmission.WORKER_ADMISSION_DRAINED);
        for (const worker of cluster.workers.values()) expect((await worker.stats()).epoch).toBeGreaterThan(oldEpoch);
      }, CONVERGES_WITHIN_MS);

      // What the paused process has in hand is worth nothing any more, whenever it is sent.
      expect(await controlPlane.placement.update(IN_FORCE_KEY, late.entry.value, late.entry.revision)).toBeUndefined();
      const { version: placementVersion } = late.inForce;
      const command = { placementVersion, storeId, epoch: oldEpoch, shards: [] };
      await expect(cluster.worker('w1').call(workerService.assign, command)).rejects.toThrow(/epoch/);
      await expect(cluster.worker('w1').call(workerService.unload, { epoch: oldEpoch })).rejects.toThrow(/epoch/);

      const { entry } = await inForceInNats();
      paused.process.child.kill('SIGCONT');
      const agreed = await expectAgreement(all());
      expect(agreed).toMatchObject({ leaderId: next.coordinatorId });
      expect(agreed.epoch).toBeGreaterThan(oldEpoch);
      await paused.process.until(() => paused.process.output.includes('leads no longer'), 'has noticed', 5_000);
      expect((await inForceInNats()).entry.revision).toBe(entry.revision);
    });
    expect(replicasByWorker(await paused.placement()).get('w3')?.size ?? 0).toBe(0);
    await underLoad(all(), async () => Promise.resolve());
  });

  it('fails what needs a worker that is killed, and serves by the same placement when it is back', async () => {
    const { placementVersion } = await expectAgreement(all());
    const load = new StreamLoad(
      all().map(({ openai }) => openai),
      questions,
    );
    await load.round();
    await cluster.worker('w1').process.stop('SIGKILL');
    await eventually(() => {
      expect(load.failures.length).toBeGreaterThanOrEqual(NUM_STREAMS);
    });
    await cluster.addWorker({ workerId: 'w1' });
    for (const coordinator of all()) await coordinator.ready();
    const { failures, wrong } = await load.stop();
    expect(wrong).toEqual([]);
    for (const { message } of failures) expect(message).toMatch(/worker w1|canary token/);
    await underLoad(all(), async () => Promise.resolve());
    expect(await expectAgreement(all())).toMatchObject({ placementVersion });
  });
});

/** Waits until they agree on who leads and on the placement. */
async function expectAgreement(coordinators: readonly ClusterCoordinator[]): Promise<ClusterView> {
  let agreed: ClusterView | undefined;
  await eventually(async () => {
    const views = await Promise.all(coordinators.map((coordinator) => coordinator.view()));
    const [first] = views;
    for (const { controlPlane, leaderId, epoch, placementVersion, change } of views) {
      expect(controlPlane).toBe('connected');
      expect(leaderId).not.toBe('');
      expect(change).toBeUndefined();
      expect({ leaderId, epoch, placementVersion }).toEqual({
        leaderId: first?.leaderId,
        epoch: first?.epoch,
        placementVersion: first?.placementVersion,
      });
    }
    agreed = first;
  }, CONVERGES_WITHIN_MS);
  if (agreed === undefined) throw new Error('there is nobody to agree');
  return agreed;
}
