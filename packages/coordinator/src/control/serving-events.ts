import { type Placement } from '@expertmesh/shared/placement/placement';
import { type KnownWorker } from './workers/known-workers.js';

/** What decides whether the model can be served hears of the cluster. */
export interface ServingEvents {
  placementApplied(placement: Placement): void;
  /** @param because why there is none yet. */
  noPlacement(because: string): void;
  workerChanged(worker: KnownWorker): void;
  workerForgotten(workerId: string): void;
  /** @param note why a worker that is up lacks experts; completes "worker X ...". */
  workerLacks(workerId: string, note: string): void;
}
