import { type ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type LoadProgress } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { ThreadClient } from '@expertmesh/shared/threads/thread-client';
import { type Assignment } from '../shards/assignment.js';
import { type ComputeContract, type ComputeThreadOptions } from './compute-contract.js';

export type OnProgress = (progress: LoadProgress) => void;

/** What the control plane needs of the compute thread. */
export interface Compute {
  /**
   * Errors as ShardHost.load.
   *
   * @param sources addresses of those who may have files that the disk lacks
   */
  load(assignment: Assignment, onProgress: OnProgress, signal: AbortSignal, sources: readonly string[]): Promise<void>;
  /** Refuses calls for an expert from now on, until it is loaded anew; see ShardHost.withdraw. */
  withdraw(layerIndex: number, expertId: number): Promise<void>;
  unload(): Promise<void>;
  /** Refuses new calls for good; see CallExecutor.drain. */
  drain(signal: AbortSignal): Promise<number>;
}

/** The main thread's end of the compute thread. */
export class ComputeClient implements Compute {
  readonly #thread: ThreadClient<ComputeContract>;

  private constructor(thread: ThreadClient<ComputeContract>) {
    this.#thread = thread;
  }

  /**
   * Starts the thread and waits for its data port.
   *
   * @param onDeath called once if the thread ends after that and `terminate` was not called.
   * @throws ExpertmeshError when it cannot start, for example because the port is taken.
   */
  static async start(
    data: ComputeThreadOptions,
    onDeath: (error: ExpertmeshError) => void,
  ): Promise<{ readonly compute: ComputeClient; readonly dataPort: number }> {
    const entry = new URL('./compute-thread.js', import.meta.url);
    const options = { name: 'the compute thread', entry, data, on: {}, onDeath };
    const { thread, ready } = await ThreadClient.start<ComputeContract>(options);
    return { compute: new ComputeClient(thread), dataPort: ready.dataPort };
  }

  load(assignment: Assignment, onProgress: OnProgress, signal: AbortSignal): Promise<void> {
    return this.#thread.request('load', assignment, { signal, onProgress });
  }

  withdraw(layerIndex: number, expertId: number): Promise<void> {
    return this.#thread.request('withdraw', { layerIndex, expertId });
  }

  unload(): Promise<void> {
    return this.#thread.request('unload', undefined);
  }

  drain(signal: AbortSignal): Promise<number> {
    return this.#thread.request('drain', undefined, { signal });
  }

  /** Ends the streams and closes the data port. */
  close(): Promise<void> {
    return this.#thread.request('closePort', undefined);
  }

  terminate(): Promise<void> {
    return this.#thread.terminate();
  }
}
