import { Worker, type ResourceLimits } from 'node:worker_threads';
import { ExpertmeshError, fromErrorData, isErrorCode, type ErrorData } from '../errors/expertmesh-error.js';
import {
  type Argument,
  type EventName,
  type FromThread,
  type MessageName,
  type Progress,
  type RequestName,
  type Result,
  type ThreadContract,
  type ToThread,
  type TransferList,
} from './thread-contract.js';

export interface ThreadOptions<C extends ThreadContract> {
  /** How errors name it: `the engine thread`. */
  readonly name: string;
  /** The file that calls serveThread. */
  readonly entry: URL;
  readonly data: C['data'];
  readonly on: { readonly [N in EventName<C>]: (payload: C['events'][N]) => void };
  /** It has ended without being told to. Called once, and not for a thread that never became ready. */
  readonly onDeath?: (error: ExpertmeshError) => void;
  readonly resourceLimits?: ResourceLimits;
}

export interface RequestOptions<P> {
  /** Aborts what the thread does for the request, which ends as the thread then says. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: P) => void;
  readonly transfer?: TransferList;
}

export interface InterruptibleOptions<P> {
  /** Aborts to end the thread. */
  readonly interrupt: AbortSignal;
  readonly cancelled: () => ExpertmeshError;
  readonly onProgress?: (progress: P) => void;
}

interface OpenRequest {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: ExpertmeshError) => void;
  readonly onProgress: ((progress: unknown) => void) | undefined;
}

type State = 'starting' | 'ready' | 'closing' | { readonly endedBy: ExpertmeshError };

/** A thread as the one that has started it sees it. When it ends, by whatever, all that is asked of it fails. */
export class ThreadClient<C extends ThreadContract> {
  readonly #options: ThreadOptions<C>;
  readonly #worker: Worker;
  readonly #requests = new Map<number, OpenRequest>();
  readonly #exited: Promise<void>;
  #state: State = 'starting';
  #numRequests = 0;
  #onReady: (ready: C['ready']) => void = () => undefined;
  #onNotReady: (error: ExpertmeshError) => void = () => undefined;

  private constructor(options: ThreadOptions<C>) {
    this.#options = options;
    const { entry, data, resourceLimits } = options;
    this.#worker = new Worker(entry, { workerData: data, ...(resourceLimits && { resourceLimits }) });
    this.#worker.on('message', (message: FromThread) => {
      this.#receive(message);
    });
    this.#worker.on('error', (thrown) => {
      this.#die(revived(thrown));
    });
    this.#exited = new Promise((resolve) =>
      this.#worker.once('exit', (exitCode) => {
        this.#die(new ExpertmeshError('internal', `it has ended by itself (exit code ${String(exitCode)})`));
        resolve();
      }),
    );
  }

  /**
   * Starts the thread and waits until it is ready.
   *
   * @throws ExpertmeshError what the thread could not become ready for, and `cancelled` after an abort; it has ended
   * then.
   */
  static async start<C extends ThreadContract>(
    options: ThreadOptions<C>,
    signal?: AbortSignal,
  ): Promise<{ readonly thread: ThreadClient<C>; readonly ready: C['ready'] }> {
    const thread = new ThreadClient<C>(options);
    try {
      return { thread, ready: await thread.#ready(signal) };
    } catch (error) {
      await thread.terminate(ExpertmeshError.from(error));
      throw error;
    }
  }

  /**
   * Sent before this returns, so that requests and messages arrive in the order in which they were made.
   *
   * @throws ExpertmeshError the thread's error, and why it ended if it has; `unavailable` while it closes.
   */
  request<N extends RequestName<C>>(
    name: N,
    argument: Argument<C, N>,
    options: RequestOptions<Progress<C, N>> = {},
  ): Promise<Result<C, N>> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    const { signal, onProgress, transfer } = options;
    const id = (this.#numRequests += 1);
    const abort = (): void => {
      this.#post({ kind: 'abort', id });
    };
    const answered = new Promise<unknown>((resolve, reject) => {
      this.#requests.set(id, { resolve, reject, onProgress: onProgress });
    });
    this.#post({ kind: 'request', id, name, argument }, transfer);
    if (signal?.aborted === true) abort();
    signal?.addEventListener('abort', abort, { once: true });
    return answered.finally(() => {
      signal?.removeEventListener('abort', abort);
      this.#requests.delete(id);
    });
  }

  /**
   * As `request`, for work that blocks its thread so that only the thread's end interrupts it: that is what an abort
   * does, and the request fails with what `cancelled` makes.
   */
  async requestOrEnd<N extends RequestName<C>>(
    name: N,
    argument: Argument<C, N>,
    options: InterruptibleOptions<Progress<C, N>>,
  ): Promise<Result<C, N>> {
    const { interrupt, cancelled, onProgress } = options;
    const end = (): void => void this.terminate(cancelled());
    interrupt.addEventListener('abort', end, { once: true });
    if (interrupt.aborted) end();
    try {
      return await this.request(name, argument, { ...(onProgress && { onProgress }) });
    } finally {
      interrupt.removeEventListener('abort', end);
    }
  }

  /** A thread that has ended hears nothing, which is no error: what is open fails of itself. */
  send<N extends MessageName<C>>(name: N, payload: C['messages'][N], transfer?: TransferList): void {
    this.#post({ kind: 'message', name, payload }, transfer);
  }

  /** Why it has ended; undefined while it has not. */
  get endedBy(): ExpertmeshError | undefined {
    return typeof this.#state === 'object' ? this.#state.endedBy : undefined;
  }

  /** Has the thread free what it has and end; past the deadline it is ended by force. What is open then fails. */
  async close(deadline: AbortSignal): Promise<void> {
    if (this.endedBy === undefined) this.#state = 'closing';
    this.#post({ kind: 'close' });
    const force = (): void => void this.#worker.terminate();
    if (deadline.aborted) force();
    deadline.addEventListener('abort', force);
    await this.#exited;
    deadline.removeEventListener('abort', force);
  }

  /** Ends the thread wherever it is; what is open fails with this error. */
  async terminate(error = new ExpertmeshError('unavailable', `${this.#options.name} was told to end`)): Promise<void> {
    this.#end(error);
    await this.#worker.terminate();
  }

  #ready(signal: AbortSignal | undefined): Promise<C['ready']> {
    const onAbort = (): void => {
      this.#onNotReady(new ExpertmeshError('cancelled', `starting ${this.#options.name} was cancelled`));
    };
    return new Promise<C['ready']>((resolve, reject) => {
      this.#onReady = resolve;
      this.#onNotReady = reject;
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted === true) onAbort();
    }).finally(() => {
      signal?.removeEventListener('abort', onAbort);
    });
  }

  #receive(message: FromThread): void {
    switch (message.kind) {
      case 'ready':
        if (this.#state === 'starting') this.#state = 'ready';
        this.#onReady(message.value);
        return;
      case 'not-ready':
        this.#onNotReady(fromErrorData(message.error));
        return;
      case 'event':
        (this.#options.on as Readonly<Record<string, (payload: unknown) => void>>)[message.name]?.(message.payload);
        return;
      case 'progress':
        this.#requests.get(message.id)?.onProgress?.(message.payload);
        return;
      case 'result':
        this.#requests.get(message.id)?.resolve(message.result);
        return;
      case 'failed':
        this.#requests.get(message.id)?.reject(fromErrorData(message.error));
    }
  }

  #refusal(): ExpertmeshError | undefined {
    if (this.#state === 'closing') return closing(this.#options.name);
    return this.endedBy;
  }

  #die(cause: ExpertmeshError): void {
    const { name, onDeath } = this.#options;
    const state = this.#state;
    if (typeof state === 'object') return;
    if (state === 'closing') {
      this.#end(closing(name));
      return;
    }
    // Of a thread that never was ready, its own error says more than that it has died.
    if (state === 'starting') {
      this.#end(cause);
      return;
    }
    const error = new ExpertmeshError('internal', `${name} has died: ${cause.message}`, { cause });
    this.#end(error);
    onDeath?.(error);
  }

  #end(error: ExpertmeshError): void {
    if (typeof this.#state === 'object') return;
    this.#state = { endedBy: error };
    this.#onNotReady(error);
    for (const request of this.#requests.values()) request.reject(error);
    this.#requests.clear();
  }

  #post(message: ToThread, transfer: TransferList = []): void {
    this.#worker.postMessage(message, transfer);
  }
}

const closing = (name: string): ExpertmeshError => new ExpertmeshError('unavailable', `${name} is shutting down`);

// What ends a thread crosses the border with its properties and without its class.
function revived(thrown: unknown): ExpertmeshError {
  const { code, message } = thrown as Partial<ErrorData>;
  if (code === undefined || message === undefined || !isErrorCode(code)) return ExpertmeshError.from(thrown);
  return new ExpertmeshError(code, message, { cause: thrown });
}
