import { type Provider } from '@expertmesh/shared/config/execution-provider';
import { type IsaChoice } from '@expertmesh/shared/config/kernel-isa';
import { type LoadProgress } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type VerifyOptions } from '@expertmesh/shared/expert-store/verification/blob-verification';
import { type LogLevel } from '@expertmesh/shared/process/logger';
import { type TlsFiles } from '@expertmesh/shared/transport-security/credentials';
import { type ThreadContract } from '@expertmesh/shared/threads/thread-contract';
import { type Assignment } from '../shards/assignment.js';

/** What the compute thread is started with. */
export interface ComputeThreadOptions {
  readonly storeDir: string;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly provider: Provider;
  readonly numThreads: number;
  readonly isa: IsaChoice;
  readonly verify: VerifyOptions;
  readonly logLevel: LogLevel;
  /** Memory of its WorkerCounters. */
  readonly counters: SharedArrayBuffer;
  /** Of the data port; undefined for plain text. */
  readonly tls: TlsFiles | undefined;
}

/** What the main thread may ask of the compute thread, which is ready when its data port is open. */
export interface ComputeContract extends ThreadContract {
  readonly data: ComputeThreadOptions;
  readonly ready: { readonly dataPort: number };
  readonly requests: {
    readonly load: { readonly argument: Assignment; readonly result: undefined; readonly progress: LoadProgress };
    readonly withdraw: {
      readonly argument: { readonly layerIndex: number; readonly expertId: number };
      readonly result: undefined;
    };
    readonly unload: { readonly argument: undefined; readonly result: undefined };
    /** Ends when no call waits any more, with how many have failed; an abort fails those that wait. */
    readonly drain: { readonly argument: undefined; readonly result: number };
    /** Ends the streams and closes the data port. */
    readonly closePort: { readonly argument: undefined; readonly result: undefined };
  };
}
