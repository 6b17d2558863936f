import { type IsaChoice } from '@expertmesh/shared/config/kernel-isa';
import { type Numerics } from '@expertmesh/shared/config/numerics';
import { type DirectoryBudget } from '@expertmesh/shared/config/directory-budget';
import { type KvDtype } from '@expertmesh/shared/config/kv-dtype';
import { type Provider } from '@expertmesh/shared/config/execution-provider';
import { type VerifyOptions } from '@expertmesh/shared/expert-store/verification/blob-verification';
import { type LayerShard } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type WireDtype } from '@expertmesh/shared/rpc/dispatch-message';
import { type TlsFiles } from '@expertmesh/shared/transport-security/credentials';
import { type ThreadContract } from '@expertmesh/shared/threads/thread-contract';
import { type RouteReport } from '../../balance/route-counter.js';
import { type RecordedSteps } from '../../balance/trace-recorder.js';
import { type DispatchStats } from '../../dispatch/dispatch-stats.js';
import { type WorkerCosts } from '../../dispatch/worker-cost.js';
import { type WrongAnswerReport } from '../../dispatch/wrong-answers.js';
import { type EngineStats, type SequenceRequest } from '../../engine/engine-client.js';
import { type EngineEvent } from '../../engine/engine-event.js';

/** What the engine thread is started with. */
export interface EngineThreadOptions {
  readonly storeDir: string;
  readonly provider: Provider;
  readonly numThreads: number;
  readonly isa: IsaChoice;
  readonly verify: VerifyOptions;
  /** Experts that this thread computes itself. */
  readonly localShards: readonly LayerShard[];
  readonly maxBatchTokens: number;
  readonly maxStepStretch: number;
  readonly maxNumSeqs: number;
  readonly maxWaitingSeqs: number;
  /** Longest sequence in tokens. */
  readonly maxModelLen: number;
  readonly kvDtype: KvDtype;
  readonly kvCacheBudgetBytes: number;
  /** Whether prompts share what is computed of them. */
  readonly prefixCache: 'on' | 'off';
  /** Where blocks are kept that memory has no room for. */
  readonly kvCacheDisk: DirectoryBudget | undefined;
  readonly speculation: 'off' | 'prompt-lookup';
  readonly microBatches: number;
  readonly wireDtype: WireDtype;
  readonly numerics: Numerics;
  readonly dispatchTimeoutMs: number;
  readonly replacementWaitMs: number;
  readonly hedging: boolean;
  /** Undefined for no canary rounds. */
  readonly canaryIntervalMs: number | undefined;
  /** Of the streams to the workers; undefined for plain text. */
  readonly tls: TlsFiles | undefined;
}

/** What the main thread may ask and tell the engine thread, and what that tells. It is ready when all is loaded. */
export interface EngineContract extends ThreadContract {
  readonly data: EngineThreadOptions;
  readonly ready: undefined;
  readonly requests: {
    /** Answered when the dispatches that began before have ended. */
    readonly setPlacement: { readonly argument: Placement; readonly result: undefined };
    /** Answered when the canary token has come through. */
    readonly canary: { readonly argument: undefined; readonly result: undefined };
    /** Answered with the worker's row, fp32 [hidden]. */
    readonly probe: { readonly argument: ReplicaProbe; readonly result: Float32Array };
    /** Ends with the recording; an abort ends it after the steps that are whole by then. */
    readonly record: { readonly argument: RecordRequest; readonly result: undefined; readonly progress: RecordedSteps };
  };
  readonly messages: {
    readonly submit: { readonly id: number; readonly request: SequenceRequest };
    readonly cancel: { readonly id: number };
    readonly workerCosts: WorkerCosts;
    /** Workers whose experts find no room elsewhere. */
    readonly irreplaceable: readonly string[];
    readonly workerUp: { readonly workerId: string; readonly dataAddress: string };
    readonly workerDown: { readonly workerId: string; readonly reason: string };
    readonly workerForgotten: { readonly workerId: string };
    /** A report's buffer, read and cleared. */
    readonly countsBack: ArrayBuffer;
    readonly recordedRead: { readonly recordingId: number; readonly numBytes: number };
  };
  readonly events: {
    readonly loading: { readonly loaded: number; readonly total: number };
    /** What sequences have put out, or why they failed. */
    readonly sequences: readonly EngineEvent[];
    /** The data-plane connection to a worker is there, or lost. */
    readonly connection: { readonly workerId: string; readonly lostBecause: string | undefined };
    /** A worker is in quarantine from now on, or no more where `because` is undefined. */
    readonly quarantine: { readonly workerId: string; readonly because: string | undefined };
    readonly wrongAnswer: WrongAnswerReport;
    readonly stats: { readonly engine: EngineStats; readonly dispatch: DispatchStats };
    readonly routes: RouteReport;
    /** Blocks could not be kept on disk; told once until one could be again. */
    readonly diskFailed: string;
  };
}

interface ReplicaProbe {
  readonly workerId: string;
  readonly layerIndex: number;
  readonly expertId: number;
}

interface RecordRequest {
  /** Names the recording when pieces of it are acknowledged. */
  readonly recordingId: number;
  readonly maxRows: number;
}
