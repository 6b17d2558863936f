import { createHash } from 'node:crypto';
import { formatNetworkAddress, type NetworkAddress } from '@expertmesh/shared/config/network-address';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { contiguousPlacement, expertsOf, LOCAL_MEMBER, type Placement } from '@expertmesh/shared/placement/placement';
import { type Clock, systemClock } from '@expertmesh/shared/rpc/clock';
import { type WorkerEvent, type WorkerStatus } from './worker-event.js';
import { WorkerSession } from './worker-session.js';

export interface WorkerPoolOptions {
  /** One worker each; the experts of a layer are split evenly over them, in this order. */
  readonly controlAddresses: readonly NetworkAddress[];
  /** Whether the coordinator takes a share itself, the first one. */
  readonly withLocalExperts: boolean;
  readonly storeId: string;
  readonly moeLayerIndices: readonly number[];
  readonly numExperts: number;
  readonly heartbeatIntervalMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly onEvent: (event: WorkerEvent) => void;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** The workers of a coordinator: each is given its share of the experts, watched, and given it again when it comes back. */
export class WorkerPool {
  /** A worker's id is its control address. */
  readonly placement: Placement;
  /** What the coordinator computes itself. */
  readonly localShards: readonly LayerShard[];
  readonly #sessions: readonly WorkerSession[];

  /**
   * Starts at once; events come later, never from within this call.
   *
   * @throws ExpertmeshError `invalid_argument` for nobody to compute, more workers than experts, or one address twice.
   */
  constructor(options: WorkerPoolOptions) {
    const {
      controlAddresses,
      withLocalExperts,
      moeLayerIndices,
      numExperts,
      clock = systemClock,
      random = Math.random,
    } = options;
    const workerIds = [...(withLocalExperts ? [LOCAL_MEMBER] : []), ...controlAddresses.map(formatNetworkAddress)];
    refuseDuplicates(workerIds);
    const placement = contiguousPlacement(staticVersion(workerIds), moeLayerIndices, numExperts, workerIds);
    this.placement = placement;
    this.localShards = shardsOf(placement, workerIds.indexOf(LOCAL_MEMBER));
    this.#sessions = controlAddresses.map((controlAddress) => {
      const workerId = formatNetworkAddress(controlAddress);
      return new WorkerSession({
        ...options,
        clock,
        random,
        workerId,
        controlAddress,
        placementVersion: placement.version,
        shards: shardsOf(placement, workerIds.indexOf(workerId)),
      });
    });
  }

  /** Of the worker processes. */
  get workerIds(): string[] {
    return this.status().map(({ workerId }) => workerId);
  }

  status(): WorkerStatus[] {
    return this.#sessions.map((session) => session.status());
  }

  /** Leaves the workers as they are; no event comes afterwards. */
  close(): void {
    for (const session of this.#sessions) session.close();
  }
}

// With static workers there is one placement, and it follows from their list: coordinators that are given the same list
// agree on the version, and those with another list cannot take each other's placement for their own.
function staticVersion(workerIds: readonly string[]): number {
  return createHash('sha256').update(workerIds.join()).digest().readUIntBE(0, 6);
}

function shardsOf(placement: Placement, workerIndex: number): LayerShard[] {
  return [...placement.replicas.keys()]
    .map((layerIndex) => ({ layerIndex, expertIds: expertsOf(placement, layerIndex, workerIndex) }))
    .filter(({ expertIds }) => expertIds.length > 0);
}

function refuseDuplicates(workerIds: readonly string[]): void {
  const twice = workerIds.find((workerId, index) => workerIds.indexOf(workerId) !== index);
  if (twice !== undefined)
    throw new ExpertmeshError('invalid_argument', `--workers names ${twice} twice: name each worker once`);
}
