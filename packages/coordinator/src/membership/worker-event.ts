import { type WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';

/** What the rest of the coordinator hears of the workers that it knows. */
export type WorkerEvent =
  | {
      readonly type: 'up';
      readonly workerId: string;
      /** `host:port` of its ExpertService. */
      readonly dataAddress: string;
      readonly bootId: string;
    }
  /** With every heartbeat: after `up`, and never while it is down. */
  | { readonly type: 'stats'; readonly workerId: string; readonly stats: WorkerStats }
  /** It is away now, or still away for another reason than before. */
  | { readonly type: 'down'; readonly workerId: string; readonly reason: string }
  /** It is no member any more. */
  | { readonly type: 'forgotten'; readonly workerId: string };

/** One worker at one moment. */
export interface WorkerStatus {
  readonly workerId: string;
  readonly controlAddress: string;
  readonly phase: 'waiting' | 'connecting' | 'up';
  /** Absent while no process is known. */
  readonly dataAddress?: string;
  readonly bootId?: string;
  /** Why it is not up. */
  readonly lastError?: string;
  readonly heartbeats: HeartbeatCounts;
}

export interface HeartbeatCounts {
  readonly numSent: number;
  readonly numMissed: number;
  /** Longest time from a heartbeat to its answer. */
  readonly maxLatencyMs: number;
}
