import { Worker } from 'node:worker_threads';
import { ExpertmeshError, fromErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type DispatchStats } from '../dispatch/dispatch-stats.js';
import { type ConnectionListener } from '../dispatch/worker-stream.js';
import {
  type EngineClient,
  type EngineLimits,
  type EngineStats,
  type SequenceOutput,
  type SequenceRequest,
} from './engine-client.js';
import { type EngineEvent } from './engine.js';
import { OutputQueue } from './output-queue.js';
import { type EngineCommand, type EngineReport, type EngineThreadOptions } from './thread-protocol.js';

export interface ThreadedEngineOptions {
  readonly thread: EngineThreadOptions;
  readonly vocabSize: number;
  readonly onLoading: (loaded: number, total: number) => void;
  readonly onConnection: ConnectionListener;
  /** The thread has ended without being asked to: nothing can be generated any more. */
  readonly onDeath: (error: ExpertmeshError) => void;
}

/** The engine in its thread, seen from the main thread. */
export class ThreadedEngine implements EngineClient {
  readonly limits: EngineLimits;
  readonly #worker: Worker;
  readonly #options: ThreadedEngineOptions;
  readonly #sequences = new Map<number, OutputQueue<SequenceOutput>>();
  readonly #canaries = new Map<number, (error: ExpertmeshError | undefined) => void>();
  readonly #exited: Promise<void>;
  #nextId = 1;
  #closing = false;
  #stats: { engine: EngineStats; dispatch: DispatchStats } | undefined;
  #death: ExpertmeshError | undefined;

  private constructor(options: ThreadedEngineOptions) {
    this.#options = options;
    this.limits = { maxModelLen: options.thread.maxModelLen, vocabSize: options.vocabSize };
    this.#worker = new Worker(new URL('./engine-thread.js', import.meta.url), { workerData: options.thread });
    this.#worker.on('error', (error) => {
      this.#die(error);
    });
    this.#exited = new Promise((resolve) =>
      this.#worker.once('exit', () => {
        if (!this.#closing) this.#die(new Error('the engine thread has ended'));
        resolve();
      }),
    );
  }

  /** Starts the thread and loads the dense part of the model. Rejects with what the thread says when that fails. */
  static async start(options: ThreadedEngineOptions, signal: AbortSignal): Promise<ThreadedEngine> {
    const engine = new ThreadedEngine(options);
    try {
      await engine.#loaded(signal);
      return engine;
    } catch (error) {
      engine.#closing = true;
      await engine.#worker.terminate();
      throw error;
    }
  }

  async *generate(request: SequenceRequest, signal: AbortSignal): AsyncGenerator<SequenceOutput> {
    const cancelled = (): ExpertmeshError => new ExpertmeshError('cancelled', 'the request was cancelled');
    if (signal.aborted) throw cancelled();
    if (this.#death !== undefined) throw this.#death;
    const id = this.#nextId++;
    const outputs = new OutputQueue<SequenceOutput>();
    const onAbort = (): void => {
      outputs.fail(cancelled());
    };
    signal.addEventListener('abort', onAbort);
    this.#sequences.set(id, outputs);
    this.#send({ type: 'submit', id, request });
    let finished = false;
    try {
      for await (const output of outputs) {
        finished = output.finishReason !== undefined;
        yield output;
        if (finished) return;
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#sequences.delete(id);
      if (!finished) this.#send({ type: 'cancel', id });
    }
  }

  stats(): EngineStats {
    return this.#reported().engine;
  }

  dispatchStats(): DispatchStats {
    return this.#reported().dispatch;
  }

  setPlacement(placement: Placement): void {
    this.#send({ type: 'placement', placement });
  }

  setWorkerUp(workerId: string, dataAddress: string): void {
    this.#send({ type: 'worker-up', workerId, dataAddress });
  }

  setWorkerDown(workerId: string, reason: string): void {
    this.#send({ type: 'worker-down', workerId, reason });
  }

  /** Sends a canary token through every layer and worker; see canary.ts. */
  async canary(): Promise<void> {
    if (this.#death !== undefined) throw this.#death;
    const id = this.#nextId++;
    const error = await new Promise<ExpertmeshError | undefined>((resolve) => {
      this.#canaries.set(id, resolve);
      this.#send({ type: 'canary', id });
    });
    if (error !== undefined) throw error;
  }

  /** Ends the step under way, fails what is left, and ends the thread; past the deadline it is ended by force. */
  async close(deadline: AbortSignal): Promise<void> {
    this.#closing = true;
    this.#send({ type: 'close' });
    const force = (): void => void this.#worker.terminate();
    if (deadline.aborted) force();
    deadline.addEventListener('abort', force);
    await this.#exited;
    deadline.removeEventListener('abort', force);
    this.#failAll(new ExpertmeshError('unavailable', 'the coordinator is shutting down'));
  }

  #loaded(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        reject(new ExpertmeshError('cancelled', 'loading the model was cancelled'));
      };
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      this.#worker.once('error', reject);
      this.#worker.on('message', (report: EngineReport) => {
        if (report.type === 'loaded') resolve();
        else if (report.type === 'load-failed') reject(fromErrorData(report.error));
        else this.#receive(report);
      });
    });
  }

  #receive(report: Exclude<EngineReport, { type: 'loaded' | 'load-failed' }>): void {
    switch (report.type) {
      case 'loading':
        this.#options.onLoading(report.loaded, report.total);
        return;
      case 'events':
        for (const event of report.events) this.#deliver(event);
        return;
      case 'connection':
        this.#options.onConnection(report.workerId, report.lostBecause);
        return;
      case 'stats':
        this.#stats = { engine: report.engine, dispatch: report.dispatch };
        return;
      case 'canary': {
        const { error } = report;
        this.#canaries.get(report.id)?.(error === undefined ? undefined : fromErrorData(error));
        this.#canaries.delete(report.id);
      }
    }
  }

  // Events of a sequence that its consumer has left are on their way when the cancel is: nobody wants them.
  #deliver(event: EngineEvent): void {
    const outputs = this.#sequences.get(event.id);
    if (event.type === 'output') outputs?.push(event.output);
    else outputs?.fail(fromErrorData(event.error));
  }

  #send(command: EngineCommand): void {
    this.#worker.postMessage(command);
  }

  #reported(): { engine: EngineStats; dispatch: DispatchStats } {
    if (this.#stats === undefined) throw new ExpertmeshError('internal', 'the engine has not reported yet');
    return this.#stats;
  }

  #die(cause: unknown): void {
    if (this.#death !== undefined) return;
    this.#death = new ExpertmeshError('internal', `the engine thread died: ${ExpertmeshError.from(cause).message}`, {
      cause,
    });
    this.#failAll(this.#death);
    this.#options.onDeath(this.#death);
  }

  #failAll(error: ExpertmeshError): void {
    for (const outputs of this.#sequences.values()) outputs.fail(error);
    for (const resolve of this.#canaries.values()) resolve(error);
    this.#canaries.clear();
  }
}
