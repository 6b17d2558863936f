import { type CoordinatorLoad } from '@expertmesh/shared/cluster/member-record';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type DispatchStats } from '../dispatch/dispatch-stats.js';
import { type WorkerCosts } from '../dispatch/worker-cost.js';
import { type ProbeReplica } from './change/replica-canary.js';

/** The engine as the cluster sees it. */
export interface EngineSide {
  /** Resolves when all layers that were dispatched by the placement before have ended. */
  setPlacement(placement: Placement): Promise<void>;
  /** By which replicas are chosen from now on. */
  setWorkerCosts(costs: WorkerCosts): void;
  /** Workers whose experts find no room elsewhere: nobody waits for those. */
  setIrreplaceable(workerIds: readonly string[]): void;
  setWorkerUp(workerId: string, dataAddress: string): void;
  setWorkerDown(workerId: string, reason: string): void;
  /** It is no member any more. */
  forgetWorker(workerId: string): void;
  readonly probeReplica: ProbeReplica;
  dispatchStats(): DispatchStats;
  load(): CoordinatorLoad;
  /** What it takes to send a token row of a layer to one worker and to take its answer; 0 before any was sent. */
  secondsPerRow(): number;
}
