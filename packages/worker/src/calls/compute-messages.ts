import { type Provider } from '@expertmesh/shared/config/execution-provider';
import { type ErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { type LoadProgress } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type VerifyOptions } from '@expertmesh/shared/expert-store/verification/blob-verification';
import { type LogLevel } from '@expertmesh/shared/process/logger';
import { type Assignment } from '../shards/assignment.js';

/** What the compute thread is started with. */
export interface ComputeThreadOptions {
  readonly storeDir: string;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly provider: Provider;
  readonly numThreads: number;
  readonly verify: VerifyOptions;
  readonly logLevel: LogLevel;
  /** Memory of its WorkerCounters. */
  readonly counters: SharedArrayBuffer;
}

/** What the main thread may ask for. */
export type ComputeTask =
  | { readonly type: 'load'; readonly assignment: Assignment }
  | { readonly type: 'unload' }
  /** Ends when no call waits any more; an abort fails those that do. */
  | { readonly type: 'drain' }
  /** Ends the streams and closes the data port. */
  | { readonly type: 'close' };

/** From the main thread. Every task has one answer, `done` or `failed`, by its id. */
export type ComputeRequest =
  | { readonly type: 'task'; readonly taskId: number; readonly task: ComputeTask }
  | { readonly type: 'abort'; readonly taskId: number };

/** From the compute thread; `ready` once, when the data port is open. */
export type ComputeReply =
  | { readonly type: 'ready'; readonly dataPort: number }
  | { readonly type: 'progress'; readonly taskId: number; readonly progress: LoadProgress }
  | { readonly type: 'done'; readonly taskId: number; readonly numFailedCalls: number }
  | { readonly type: 'failed'; readonly taskId: number; readonly error: ErrorData };
