/**
 * What a plan knows of the machines. Measured figures come from the workers themselves; invented ones serve `simulate`.
 */
export interface PlanCluster {
  readonly workers: readonly PlanWorker[];
  /** Memory of one replica, the same for all experts of a model. */
  readonly expertSizeBytes: number;
  /**
   * What the coordinator spends to send a token row of a layer to one worker and to take its answer; 0 where the wire
   * is free.
   */
  readonly secondsPerRow: number;
}

export interface PlanWorker {
  readonly workerId: string;
  /** For experts alone. */
  readonly memoryBudgetBytes: number;
  /** Reading an expert's weights once: what a step costs for each expert that has any token. */
  readonly secondsPerActiveExpert: number;
  /** Computing one routed token, which is one (token, expert) pair. */
  readonly secondsPerToken: number;
  /** Workers of the same domain may fail together (a box, a rack, a power supply). */
  readonly failureDomain: string;
  /** A cordoned worker keeps exactly the replicas that it has; a draining one gives them all up. */
  readonly state: 'accepting' | 'cordoned' | 'draining';
}
