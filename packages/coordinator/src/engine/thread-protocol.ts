import { type ErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { type Provider } from '@expertmesh/shared/config/execution-provider';
import { type VerifyOptions } from '@expertmesh/shared/expert-store/verification/blob-verification';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type WireDtype } from '@expertmesh/shared/rpc/dispatch-message';
import { type DispatchStats } from '../dispatch/dispatch-stats.js';
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
  | { readonly type: 'placement'; readonly placement: Placement }
  | { readonly type: 'worker-up'; readonly workerId: string; readonly dataAddress: string }
  | { readonly type: 'worker-down'; readonly workerId: string; readonly reason: string }
  | { readonly type: 'canary'; readonly id: number }
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
  | { readonly type: 'canary'; readonly id: number; readonly error?: ErrorData };
