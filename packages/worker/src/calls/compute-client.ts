import { Worker } from 'node:worker_threads';
import { ExpertmeshError, isErrorCode, type ErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { type LoadProgress } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Assignment } from '../shards/assignment.js';
import {
  type ComputeReply,
  type ComputeRequest,
  type ComputeTask,
  type ComputeThreadOptions,
} from './compute-messages.js';

export type OnProgress = (progress: LoadProgress) => void;

/** What the control plane needs of the compute thread. */
export interface Compute {
  /** Errors as ShardHost.load. */
  load(assignment: Assignment, onProgress: OnProgress, signal: AbortSignal): Promise<void>;
  unload(): Promise<void>;
  /** Refuses new calls for good; see CallExecutor.drain. */
  drain(signal: AbortSignal): Promise<number>;
}

interface PendingTask {
  readonly resolve: (numFailedCalls: number) => void;
  readonly reject: (error: ExpertmeshError) => void;
  readonly onProgress: OnProgress;
}

const NEVER_ABORTS = new AbortController().signal;

/** The main thread's end of the compute thread. */
export class ComputeClient implements Compute {
  readonly #thread: Worker;
  readonly #pending = new Map<number, PendingTask>();
  #numTasks = 0;
  /** Why no task is taken any more. */
  #end: ExpertmeshError | undefined;
  #onDeath: (error: ExpertmeshError) => void = () => undefined;

  private constructor(thread: Worker) {
    this.#thread = thread;
  }

  /**
   * Starts the thread and waits for its data port.
   *
   * @param onDeath called once if the thread ends after that and `terminate` was not called.
   * @throws ExpertmeshError when it cannot start, for example because the port is taken.
   */
  static async start(
    options: ComputeThreadOptions,
    onDeath: (error: ExpertmeshError) => void,
  ): Promise<{ readonly compute: ComputeClient; readonly dataPort: number }> {
    const thread = new Worker(new URL('./compute-thread.js', import.meta.url), { workerData: options });
    const compute = new ComputeClient(thread);
    const dataPort = await new Promise<number>((resolve, reject) => {
      thread.on('message', (reply: ComputeReply) => {
        if (reply.type === 'ready') resolve(reply.dataPort);
        else compute.#receive(reply);
      });
      // Rejecting has no effect any more once the thread was ready.
      const die = (error: ExpertmeshError): void => {
        reject(error);
        compute.#fail(error);
      };
      thread.on('error', (cause) => {
        die(revived(cause));
      });
      thread.on('exit', (exitCode) => {
        die(new ExpertmeshError('internal', `it has ended by itself (exit code ${String(exitCode)})`));
      });
    });
    compute.#onDeath = onDeath;
    return { compute, dataPort };
  }

  async load(assignment: Assignment, onProgress: OnProgress, signal: AbortSignal): Promise<void> {
    await this.#run({ type: 'load', assignment }, signal, onProgress);
  }

  async unload(): Promise<void> {
    await this.#run({ type: 'unload' }, NEVER_ABORTS);
  }

  drain(signal: AbortSignal): Promise<number> {
    return this.#run({ type: 'drain' }, signal);
  }

  /** Ends the streams and closes the data port. */
  async close(): Promise<void> {
    await this.#run({ type: 'close' }, NEVER_ABORTS);
  }

  async terminate(): Promise<void> {
    this.#onDeath = () => undefined;
    this.#fail(new ExpertmeshError('unavailable', 'the compute thread was told to end'));
    await this.#thread.terminate();
  }

  async #run(task: ComputeTask, signal: AbortSignal, onProgress: OnProgress = () => undefined): Promise<number> {
    if (this.#end !== undefined) throw this.#end;
    const taskId = (this.#numTasks += 1);
    const send = (request: ComputeRequest): void => {
      this.#thread.postMessage(request);
    };
    const abort = (): void => {
      send({ type: 'abort', taskId });
    };
    const ended = new Promise<number>((resolve, reject) => {
      this.#pending.set(taskId, { resolve, reject, onProgress });
    });
    send({ type: 'task', taskId, task });
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await ended;
    } finally {
      signal.removeEventListener('abort', abort);
      this.#pending.delete(taskId);
    }
  }

  #fail(error: ExpertmeshError): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    for (const task of this.#pending.values()) task.reject(error);
    this.#pending.clear();
    this.#onDeath(error);
  }

  #receive(reply: Exclude<ComputeReply, { type: 'ready' }>): void {
    const task = this.#pending.get(reply.taskId);
    switch (reply.type) {
      case 'progress':
        task?.onProgress(reply.progress);
        break;
      case 'done':
        task?.resolve(reply.numFailedCalls);
        break;
      case 'failed':
        task?.reject(new ExpertmeshError(reply.error.code, reply.error.message));
        break;
    }
  }
}

// Crossing the thread border keeps an error's properties and loses its class.
function revived(thrown: unknown): ExpertmeshError {
  const { code, message } = thrown as Partial<ErrorData>;
  if (code === undefined || message === undefined || !isErrorCode(code)) return ExpertmeshError.from(thrown);
  return new ExpertmeshError(code, message, { cause: thrown });
}
