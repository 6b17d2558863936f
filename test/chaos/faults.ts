import { randomInt } from 'node:crypto';
import { writeFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type NatsCluster } from '@expertmesh/test-kit/nats-cluster';
import { pause } from '@expertmesh/test-kit/process';
import { type FarWire } from './far-wire.js';
import { expectAllReplicas } from './replicas.js';

/** Something that goes wrong and is mended in the end. */
export interface Fault {
  readonly name: string;
  happen(): Promise<void>;
}

export interface FaultOptions {
  readonly cluster: NatsCluster;
  /** Started again as it was. */
  readonly restartWorker: (workerId: string) => Promise<void>;
  /** Of the coordinators: a small file system. */
  readonly smallDisk: string | undefined;
  /** To one of the workers. */
  readonly wire: FarWire;
}

const WORKER_IDS = ['w1', 'w2', 'w3'];

/** What may happen to a cluster of three workers and two coordinators, c2 of which stays. */
export function faultsOf({ cluster, restartWorker, smallDisk, wire }: FaultOptions): readonly Fault[] {
  const anyWorker = (): string => WORKER_IDS[randomInt(WORKER_IDS.length)] ?? 'w1';
  const stopped = async (child: { kill(signal: NodeJS.Signals): boolean }, ms: number): Promise<void> => {
    child.kill('SIGSTOP');
    await pause(ms);
    child.kill('SIGCONT');
  };
  const faults: Fault[] = [
    {
      name: 'worker killed',
      happen: async () => {
        const workerId = anyWorker();
        await cluster.worker(workerId).process.stop('SIGKILL');
        await restartWorker(workerId);
      },
    },
    { name: 'worker stopped', happen: () => stopped(cluster.worker(anyWorker()).process.child, randomInt(300, 4_000)) },
    {
      name: 'coordinator killed',
      happen: async () => {
        await cluster.coordinator('c1').process.stop('SIGKILL');
        await cluster.addCoordinator('c1');
      },
    },
    {
      name: 'coordinator stopped',
      happen: () => stopped(cluster.coordinator('c1').process.child, randomInt(300, 6_000)),
    },
    {
      name: 'nats-server stopped',
      happen: async () => {
        await cluster.nats.pause();
        await pause(randomInt(300, 4_000));
        cluster.nats.resume();
      },
    },
    {
      name: 'nats-server killed',
      happen: async () => {
        await cluster.nats.stop();
        await pause(randomInt(0, 2_000));
        await cluster.nats.restart();
      },
    },
  ];
  faults.push(...faultsOfWire(wire));
  if (smallDisk !== undefined) faults.push(fullDisk(smallDisk));
  return faults;
}

function faultsOfWire(wire: FarWire): readonly Fault[] {
  return [
    {
      name: 'wire long',
      happen: async () => {
        await wire.setDelay(randomInt(5, 100));
        await pause(randomInt(500, 3_000));
        await wire.setDelay(0);
      },
    },
    { name: 'wire broken', happen: () => wire.break() },
  ];
}

function fullDisk(directory: string): Fault {
  const path = join(directory, 'filler');
  return {
    name: 'disk full',
    happen: async () => {
      try {
        for (let pieces = 1; ; pieces *= 2) writeFileSync(path, Buffer.alloc(pieces * 4096), { flag: 'a' });
      } catch {
        // It is full now.
      }
      await pause(randomInt(1_000, 4_000));
      rmSync(path, { force: true });
    },
  };
}

/** Waits until the cluster is whole again. */
export async function expectWhole(cluster: NatsCluster): Promise<void> {
  for (const coordinator of cluster.coordinators.values()) await expectAllReplicas(cluster, coordinator);
}
