import { IN_FORCE_KEY, LEADER_KEY } from '@expertmesh/shared/cluster/cluster-keys';
import { parseLeaderRecord } from '@expertmesh/shared/cluster/member-record';
import { parsePlacementInForce } from '@expertmesh/shared/cluster/placement-document';
import { NatsControlPlane } from '@expertmesh/shared/control-plane/nats-control-plane';
import { createLogger } from '@expertmesh/shared/process/logger';
import { type NatsCluster } from '@expertmesh/test-kit/nats-cluster';
import { pause } from '@expertmesh/test-kit/process';

const LOOK_EVERY_MS = 200;

/** Watches control plane and workers for what must never be: two writers of an epoch, or an epoch that falls. */
export class Writers {
  readonly violations: string[] = [];
  readonly leaders = new Map<number, string>();
  readonly #controlPlane: NatsControlPlane;
  readonly #workerEpochs = new Map<string, number>();
  readonly #looking: Promise<void>;
  #inForceEpoch = 0;
  #isClosed = false;

  constructor(cluster: NatsCluster) {
    const logger = createLogger({ name: 'test', level: 'silent' });
    const options = { servers: [cluster.nats.url], cluster: 'default', clientName: 'writers', logger };
    this.#controlPlane = new NatsControlPlane(options);
    const { leader, placement } = this.#controlPlane;
    leader.watch({ onEntry: (entry) => this.#sawLeader(entry), onDelete: () => undefined });
    placement.watch({ onEntry: (entry) => this.#sawInForce(entry), onDelete: () => undefined });
    this.#looking = this.#lookAtWorkers(cluster);
  }

  get numEpochs(): number {
    return this.leaders.size;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#looking;
    await this.#controlPlane.close();
  }

  #sawLeader({ key, value }: { readonly key: string; readonly value: Uint8Array }): void {
    if (key !== LEADER_KEY) return;
    const { epoch, coordinatorId } = parseLeaderRecord(value);
    const known = this.leaders.get(epoch) ?? coordinatorId;
    if (known !== coordinatorId) this.violations.push(`epoch ${String(epoch)}: ${known} and ${coordinatorId} lead`);
    this.leaders.set(epoch, known);
  }

  #sawInForce({ key, value }: { readonly key: string; readonly value: Uint8Array }): void {
    if (key !== IN_FORCE_KEY) return;
    const { epoch } = parsePlacementInForce(value);
    if (epoch < this.#inForceEpoch)
      this.violations.push(`a placement of epoch ${String(epoch)} after one of ${String(this.#inForceEpoch)}`);
    this.#inForceEpoch = Math.max(epoch, this.#inForceEpoch);
  }

  async #lookAtWorkers(cluster: NatsCluster): Promise<void> {
    while (!this.#isClosed) {
      for (const [workerId, worker] of cluster.workers) {
        const before = this.#workerEpochs.get(workerId) ?? 0;
        const epoch = await worker.stats().then(
          (stats) => stats.epoch,
          () => before,
        );
        if (epoch < before) this.violations.push(`${workerId} went from epoch ${String(before)} to ${String(epoch)}`);
        this.#workerEpochs.set(workerId, epoch);
      }
      await pause(LOOK_EVERY_MS);
    }
  }
}
