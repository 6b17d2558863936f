/** What the rest of the coordinator hears of its workers; plain data, so that it crosses the thread border as it is. */
export type WorkerEvent =
  | {
      readonly type: 'up';
      readonly workerId: string;
      /** `host:port` of its ExpertService. */
      readonly dataAddress: string;
      readonly bootId: string;
    }
  /** It is away now, or still away for another reason than before. */
  | { readonly type: 'down'; readonly workerId: string; readonly reason: string }
  | {
      readonly type: 'progress';
      readonly workerId: string;
      readonly loadedBytes: number;
      readonly totalBytes: number;
      readonly loadedLayers: number;
      readonly totalLayers: number;
    };

/** One worker at one moment. */
export interface WorkerStatus {
  readonly workerId: string;
  readonly controlAddress: string;
  readonly phase: 'waiting' | 'connecting' | 'assigning' | 'loading' | 'up';
  /** Absent while no process is known. */
  readonly dataAddress?: string;
  readonly bootId?: string;
  /** Why it is not up, or was not before. */
  readonly lastError?: string;
  readonly loadedBytes: number;
  readonly totalBytes: number;
  readonly heartbeats: HeartbeatCounts;
}

export interface HeartbeatCounts {
  readonly numSent: number;
  readonly numMissed: number;
  /** Longest time from a heartbeat to its answer. */
  readonly maxLatencyMs: number;
}
