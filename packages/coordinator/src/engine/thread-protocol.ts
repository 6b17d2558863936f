import { type ErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { type Provider } from '@expertmesh/shared/config/execution-provider';
import { type VerifyOptions } from '@expertmesh/shared/expert-store/verification/blob-verification';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type WireDtype } from '@expertmesh/shared/rpc/dispatch-message';
import { type RouteReport } from '../balance/route-counter.js';
import { type RecordedSteps } from '../balance/trace-recorder.js';
import { type DispatchStats } from '../dispatch/dispatch-stats.js';
import { type WorkerCosts } from '../dispatch/worker-cost.js';
import { type SpeculationMode } from '../speculation/drafter.js';
import { type EngineStats, type SequenceRequest } from './engine-client.js';
import { type EngineEvent } from './engine.js';

/** What the engine thread is started with. */
export interface EngineThreadOptions {
  readonly storeDir: string;
  readonly provider: Provider;
  readonly numThreads: number;
  readonly verify: VerifyOptions;
  /** Experts that this thread computes itself. */
  readonly localShards: readonly LayerShard[];
  readonly maxBatchTokens: number;
  readonly maxStepStretch: number;
  readonly maxNumSeqs: number;
  /** Longest sequence in tokens. */
  readonly maxModelLen: number;
  readonly kvCacheBudgetBytes: number;
  readonly speculation: SpeculationMode;
  readonly microBatches: number;
  readonly wireDtype: WireDtype;
  readonly dispatchTimeoutMs: number;
}

/** Main thread to engine thread. */
export type EngineCommand =
  | { readonly type: 'submit'; readonly id: number; readonly request: SequenceRequest }
  | { readonly type: 'cancel'; readonly id: number }
  /** Answered when the dispatches that began before have ended. */
  | { readonly type: 'placement'; readonly id: number; readonly placement: Placement }
  | { readonly type: 'worker-costs'; readonly costs: WorkerCosts }
  | { readonly type: 'worker-up'; readonly workerId: string; readonly dataAddress: string }
  | { readonly type: 'worker-down'; readonly workerId: string; readonly reason: string }
  | { readonly type: 'worker-forgotten'; readonly workerId: string }
  /** Answered when the canary token has come through. */
  | { readonly type: 'canary'; readonly id: number }
  /** Answered with the worker's row, fp32 [hidden]. */
  | {
      readonly type: 'probe';
      readonly id: number;
      readonly workerId: string;
      readonly layerIndex: number;
      readonly expertId: number;
    }
  /** A report's buffer, read and cleared. */
  | { readonly type: 'counts-back'; readonly counts: ArrayBuffer }
  | { readonly type: 'record'; readonly id: number; readonly maxRows: number }
  | { readonly type: 'recorded-read'; readonly id: number; readonly numBytes: number }
  | { readonly type: 'record-stop'; readonly id: number }
  | { readonly type: 'close' };

/** Engine thread to main thread. */
export type EngineReport =
  | { readonly type: 'loading'; readonly loaded: number; readonly total: number }
  | { readonly type: 'loaded' }
  | { readonly type: 'load-failed'; readonly error: ErrorData }
  | { readonly type: 'events'; readonly events: readonly EngineEvent[] }
  /** The data-plane connection to a worker is there, or lost. */
  | { readonly type: 'connection'; readonly workerId: string; readonly lostBecause: string | undefined }
  | { readonly type: 'stats'; readonly engine: EngineStats; readonly dispatch: DispatchStats }
  /** To the command of this id. */
  | { readonly type: 'answer'; readonly id: number; readonly row?: Float32Array; readonly error?: ErrorData }
  | { readonly type: 'routes'; readonly report: RouteReport }
  | { readonly type: 'recorded'; readonly id: number; readonly steps: RecordedSteps }
  | { readonly type: 'record-end'; readonly id: number; readonly error?: ErrorData };
