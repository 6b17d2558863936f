import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RebalanceRequest } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { adminService, workerService } from '@expertmesh/shared/rpc/services';
import { packDemoStore } from '@expertmesh/test-kit/demo-store';
import { eventually } from '@expertmesh/test-kit/eventually';
import { type ClusterCoordinator, NatsCluster, stopClusters } from '@expertmesh/test-kit/nats-cluster';
import { describeNats } from '@expertmesh/test-kit/nats-server';
import { type NetworkNamespace, NetworkNamespaces } from '@expertmesh/test-kit/network-namespace';
import { pause } from '@expertmesh/test-kit/process';
import { scaled } from './chaos-scale.js';
import { report } from './report.js';
import { Writers } from './writers.js';

const NUM_ROUNDS = scaled('CHAOS_PARTITION_ROUNDS', 1, 5);
/** Kinds of them. */
const NUM_PARTS = scaled('CHAOS_PARTITION_KINDS', 1, 4);
const NEXT_LEADS_WITHIN_MS = 15_000;
const AGREES_WITHIN_MS = 20_000;
/** Beyond what a leader's record may stand still. */
const BEYOND_LEASE_MS = 4_000;
const RATE_MBIT = 1_000;

/** How a leader is parted from the control plane, and from whom else. */
type Part = (leader: ClusterCoordinator, box: NetworkNamespace) => () => void;

const reason = whyNoNamespaces();
const describeBoxes = reason === undefined ? describeNats : describe.skip;

describeBoxes(`R7: two coordinators in network namespaces${reason ?? ''}`, () => {
  let namespaces: NetworkNamespaces;
  let boxes: ReadonlyMap<string, NetworkNamespace>;
  let natsHost: string;
  let workerHost: string;
  let cluster: NatsCluster;
  let writers: Writers;

  beforeAll(async () => {
    namespaces = NetworkNamespaces.create(2, RATE_MBIT);
    workerHost = namespaces.ownAddress;
    natsHost = namespaces.addOwnAddress(253);
    boxes = new Map(namespaces.boxes.map((box, index) => [`c${String(index + 1)}`, box]));
    cluster = await NatsCluster.start({
      storeDir: await packDemoStore(),
      coordinatorIds: [...boxes.keys()],
      workers: ['w1', 'w2', 'w3'].map((workerId) => ({ workerId })),
      coordinatorFlags: ['--rebalance-min-gain', '0'],
      network: { natsHost, workerHost, coordinatorBoxes: boxes },
    });
    writers = new Writers(cluster);
  });
  afterAll(async () => {
    await writers.close();
    await stopClusters();
    namespaces.close();
  });

  const all = (): readonly ClusterCoordinator[] => [...cluster.coordinators.values()];

  /** Who leads by what all know, and the other one. */
  async function leaderAndOther(): Promise<readonly [ClusterCoordinator, ClusterCoordinator]> {
    let leaderId = '';
    await eventually(async () => {
      const views = await Promise.all(all().map((coordinator) => coordinator.view()));
      leaderId = views[0]?.leaderId ?? '';
      expect(views.map((view) => [view.leaderId, view.controlPlane])).toEqual(views.map(() => [leaderId, 'connected']));
      expect(leaderId).not.toBe('');
    }, AGREES_WITHIN_MS);
    const [other] = all().filter(({ coordinatorId }) => coordinatorId !== leaderId);
    if (other === undefined) throw new Error('there is no other coordinator');
    return [cluster.coordinator(leaderId), other];
  }

  // What goes to an address is dropped, without a word to whoever sent it.
  const dropInBox = ({ prefix: [, , , name = ''] }: NetworkNamespace, address: string): (() => void) => {
    ip('-n', name, 'route', 'add', 'blackhole', `${address}/32`);
    return () => {
      ip('-n', name, 'route', 'delete', 'blackhole', `${address}/32`);
    };
  };
  const dropToBox = ({ address }: NetworkNamespace): (() => void) => {
    ip('route', 'add', 'blackhole', `${address}/32`);
    return () => {
      ip('route', 'delete', 'blackhole', `${address}/32`);
    };
  };

  const parts: readonly (readonly [string, Part])[] = [
    ['what it sends to nats-server is lost', (_, box) => dropInBox(box, natsHost)],
    ['what is sent to it is lost', (_, box) => dropToBox(box)],
    [
      'it and all others are parted both ways',
      (_, box) => {
        const mends = [dropToBox(box), dropInBox(box, natsHost), dropInBox(box, workerHost)];
        return () => {
          for (const mend of mends) mend();
        };
      },
    ],
    [
      'it is stopped across its lease',
      ({ process: { child } }) => {
        child.kill('SIGSTOP');
        return () => child.kill('SIGCONT');
      },
    ],
  ];

  it.each(parts.slice(0, NUM_PARTS))(
    'one writes an epoch, and no stale command is taken, while of the leader %s',
    async (name, part) => {
      const takeoversMs: number[] = [];
      for (let round = 0; round < NUM_ROUNDS; round++) {
        const [leader, next] = await leaderAndOther();
        const { epoch: oldEpoch } = await leader.view();
        const box = boxes.get(leader.coordinatorId);
        if (box === undefined) throw new Error(`${leader.coordinatorId} has no box`);
        const partedMs = performance.now();
        const mend = part(leader, box);
        try {
          await eventually(async () => {
            const { leaderId, epoch } = await next.view();
            expect(leaderId).toBe(next.coordinatorId);
            expect(epoch).toBeGreaterThan(oldEpoch);
          }, NEXT_LEADS_WITHIN_MS);
          takeoversMs.push(performance.now() - partedMs);
          // The new leader writes, so that workers know its epoch; the old one's is worth nothing any more.
          await next.change(adminService.rebalance, RebalanceRequest.create({ actor: 'test' })).catch(() => undefined);
          await eventually(async () => {
            for (const worker of cluster.workers.values())
              expect((await worker.stats()).epoch).toBeGreaterThan(oldEpoch);
          }, AGREES_WITHIN_MS);
          for (const worker of cluster.workers.values())
            await expect(worker.call(workerService.unload, { epoch: oldEpoch })).rejects.toThrow(/epoch/);
          await pause(BEYOND_LEASE_MS);
        } finally {
          mend();
        }
        await leaderAndOther();
        for (const coordinator of all()) await coordinator.ready();
      }
      const figures = { rounds: NUM_ROUNDS, 'takeover max ms': Math.max(...takeoversMs), epochs: writers.numEpochs };
      report(`R7 ${name}`, { ...figures, violations: writers.violations.length });
      expect(writers.violations).toEqual([]);
    },
  );
});

function ip(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr.trim()}`);
}

/** Why there can be no namespaces here, for the name of a suite; undefined where there can. */
function whyNoNamespaces(): string | undefined {
  try {
    NetworkNamespaces.create(1, RATE_MBIT).close();
    return undefined;
  } catch (thrown) {
    return `: there are none (${thrown instanceof Error ? thrown.message : String(thrown)})`;
  }
}
