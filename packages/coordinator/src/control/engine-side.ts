import { type CoordinatorLoad } from '@expertmesh/shared/cluster/member-record';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type DispatchStats } from '../dispatch/dispatch-stats.js';
import { type WorkerCosts } from '../dispatch/worker-cost.js';
import { type ProbeReplica } from './change/replica-canary.js';

/** The engine as the cluster sees it. */
export interface EngineSide {
  /**
   * Resolves when all layers that were dispatched by the placement before have ended.
   *
   * @param costs by which replicas are chosen
   */
  setPlacement(placement: Placement, costs: WorkerCosts): Promise<void>;
  setWorkerUp(workerId: string, dataAddress: string): void;
  setWorkerDown(workerId: string, reason: string): void;
  readonly probeReplica: ProbeReplica;
  dispatchStats(): DispatchStats;
  load(): CoordinatorLoad;
  /** What it takes to send a token row of a layer to one worker and to take its answer; 0 before any was sent. */
  secondsPerRow(): number;
}
