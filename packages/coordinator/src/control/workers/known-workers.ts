import { type WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type WorkerEvent } from '../../membership/worker-event.js';
import { toShards, type Shards } from '../placement/shards.js';

/** A worker of the cluster as this coordinator sees it. */
export interface KnownWorker {
  readonly workerId: string;
  /** Absent while it has not been up since this coordinator started. */
  readonly dataAddress?: string;
  readonly state: 'up' | 'away';
  /** On this coordinator's clock; since it became a member for one that was never up. */
  readonly stateSinceMs: number;
  /** Why it is away; empty while it is up. */
  readonly reason: string;
  /** The last that were heard. */
  readonly stats?: WorkerStats;
  /** What it has loaded; nothing while it is away. */
  readonly holds: Shards;
}

/** Its own name where it has not said any. */
export function failureDomainOf({ workerId, stats }: Pick<KnownWorker, 'workerId' | 'stats'>): string {
  const domain = stats?.capacity?.failureDomain;
  return domain === undefined || domain === '' ? workerId : domain;
}

const NEVER_ANSWERED = 'it has not answered yet';

/** Follows the workers' events. Values never change: a worker of which there is news is another value. */
export class KnownWorkers {
  readonly #clock: Clock;
  readonly #workers = new Map<string, KnownWorker>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  list(): KnownWorker[] {
    return [...this.#workers.values()];
  }

  get(workerId: string): KnownWorker | undefined {
    return this.#workers.get(workerId);
  }

  /** Workers that are known of before they say anything themselves. */
  expect(workerIds: readonly string[]): void {
    for (const workerId of workerIds)
      if (!this.#workers.has(workerId)) this.#workers.set(workerId, this.#away(workerId, NEVER_ANSWERED));
  }

  apply(event: WorkerEvent): void {
    const { workerId } = event;
    const known = this.#workers.get(workerId) ?? this.#away(workerId, NEVER_ANSWERED);
    switch (event.type) {
      case 'up':
        this.#workers.set(workerId, {
          ...known,
          dataAddress: event.dataAddress,
          state: 'up',
          stateSinceMs: this.#clock.nowMs(),
          reason: '',
        });
        return;
      case 'stats':
        this.#workers.set(workerId, { ...known, stats: event.stats, holds: shardsIn(event.stats) });
        return;
      case 'down': {
        const sinceMs = known.state === 'away' ? known.stateSinceMs : this.#clock.nowMs();
        this.#workers.set(workerId, { ...known, ...this.#away(workerId, event.reason), stateSinceMs: sinceMs });
        return;
      }
      case 'forgotten':
        this.#workers.delete(workerId);
    }
  }

  #away(workerId: string, reason: string): KnownWorker {
    return { workerId, state: 'away', stateSinceMs: this.#clock.nowMs(), reason, holds: [] };
  }
}

const shardsIn = ({ shards }: WorkerStats): Shards =>
  toShards(shards.map(({ layerIndex, expertIds }) => [layerIndex, expertIds]));
