import { type Provider } from '@expertmesh/shared/config/execution-provider';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { estimateMemoryBytes } from '@expertmesh/shared/memory/memory-estimate';
import { packedBytesOf } from '@expertmesh/shared/expert-store/shard-blobs';
import { type WorkerCapacity } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { moeLayerIndices } from '@expertmesh/shared/model/model-spec';
import { type WorkerCounters } from '../calls/worker-counters.js';

export interface OwnCapacityOptions {
  readonly store: ExpertStore;
  readonly provider: Provider;
  readonly numThreads: number;
  readonly failureDomain: string;
  readonly counters: WorkerCounters;
}

/** What this worker says of itself for planning. */
export class OwnCapacity {
  readonly #fixed: Pick<WorkerCapacity, 'provider' | 'numCores' | 'failureDomain' | 'expertMemoryBytes'>;
  readonly #counters: WorkerCounters;
  /** 0 until it has been measured. */
  memoryBytesPerSecond = 0;

  constructor({ store, provider, numThreads, failureDomain, counters }: OwnCapacityOptions) {
    this.#counters = counters;
    this.#fixed = {
      provider,
      numCores: numThreads,
      failureDomain,
      expertMemoryBytes: expertMemoryBytes(store, provider),
    };
  }

  read(): WorkerCapacity {
    return {
      ...this.#fixed,
      memoryBytesPerSecond: Math.round(this.memoryBytesPerSecond),
      secondsPerActiveExpert: this.#counters.get('secondsPerActiveExpert'),
      secondsPerToken: this.#counters.get('secondsPerToken'),
    };
  }
}

// All experts of a model have the same shapes.
function expertMemoryBytes(store: ExpertStore, provider: Provider): number {
  const [layerIndex] = moeLayerIndices(store.spec);
  if (layerIndex === undefined) return 0;
  const packedBytes = packedBytesOf(store, { layerIndex, expertIds: [0] });
  return estimateMemoryBytes(packedBytes, store.quantisation, provider);
}
