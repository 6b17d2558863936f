import { Worker } from 'node:worker_threads';
import { ExpertmeshError, fromErrorData, toErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type RouteReport } from '../balance/route-counter.js';
import { type RecordedSteps } from '../balance/trace-recorder.js';
import { type DispatchStats } from '../dispatch/dispatch-stats.js';
import { type WorkerCosts } from '../dispatch/worker-cost.js';
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
  /** Gets what was routed, about once a second; the report's buffer holds during the call. */
  readonly onRoutes?: (report: RouteReport) => void;
  /** The thread has ended without being asked to: nothing can be generated any more. */
  readonly onDeath: (error: ExpertmeshError) => void;
}

/** The engine in its thread, seen from the main thread. */
export class ThreadedEngine implements EngineClient {
  readonly limits: EngineLimits;
  readonly #worker: Worker;
  readonly #options: ThreadedEngineOptions;
  readonly #sequences = new Map<number, OutputQueue<SequenceOutput>>();
  /** Commands that wait for their answer. */
  readonly #asked = new Map<number, (answer: EngineAnswer) => void>();
  readonly #recordings = new Map<number, OutputQueue<RecordedSteps | 'end'>>();
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

  /**
   * Routes by this placement from now on.
   *
   * @returns when no dispatch that began by an earlier one is under way any more.
   */
  async setPlacement(placement: Placement): Promise<void> {
    await this.#ask((id) => ({ type: 'placement', id, placement }));
  }

  /** What workers are known to cost, by which replicas are chosen. */
  setWorkerCosts(costs: WorkerCosts): void {
    this.#send({ type: 'worker-costs', costs });
  }

  setWorkerUp(workerId: string, dataAddress: string): void {
    this.#send({ type: 'worker-up', workerId, dataAddress });
  }

  setWorkerDown(workerId: string, reason: string): void {
    this.#send({ type: 'worker-down', workerId, reason });
  }

  forgetWorker(workerId: string): void {
    this.#send({ type: 'worker-forgotten', workerId });
  }

  /** Sends a canary token through every layer and worker; see canary.ts. */
  async canary(): Promise<void> {
    await this.#ask((id) => ({ type: 'canary', id }));
  }

  /** What a worker computes for a fixed row, fp32 [hidden]; see GrpcExpertDispatcher.probeReplica. */
  async probeReplica(workerId: string, layerIndex: number, expertId: number): Promise<Float32Array> {
    const { row } = await this.#ask((id) => ({ type: 'probe', id, workerId, layerIndex, expertId }));
    if (row === undefined) throw new ExpertmeshError('internal', 'a probe was answered without a row');
    return row;
  }

  /**
   * The routes of all passes that begin from now on, until `signal` aborts or `maxRows` were recorded (Infinity: no
   * limit). Fails with `resource_exhausted` where another recording is under way, and where the consumer is too slow:
   * generation never waits for it.
   */
  async *recordSteps(maxRows: number, signal: AbortSignal): AsyncGenerator<RecordedSteps, void, void> {
    if (this.#death !== undefined) throw this.#death;
    const id = this.#nextId++;
    const recorded = new OutputQueue<RecordedSteps | 'end'>();
    const stop = (): void => {
      this.#send({ type: 'record-stop', id });
    };
    this.#recordings.set(id, recorded);
    this.#send({ type: 'record', id, maxRows });
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    try {
      for await (const steps of recorded) {
        if (steps === 'end') return;
        yield steps;
        this.#send({ type: 'recorded-read', id, numBytes: steps.content.length });
      }
    } finally {
      signal.removeEventListener('abort', stop);
      this.#recordings.delete(id);
      stop();
    }
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
    this.#failAll(shuttingDown());
  }

  // Sent before this returns, so that commands arrive in the order in which they were given.
  async #ask(command: (id: number) => EngineCommand): Promise<EngineAnswer> {
    if (this.#death !== undefined) throw this.#death;
    if (this.#closing) throw shuttingDown();
    const id = this.#nextId++;
    const answer = await new Promise<EngineAnswer>((resolve) => {
      this.#asked.set(id, resolve);
      this.#send(command(id));
    });
    this.#asked.delete(id);
    if (answer.error !== undefined) throw fromErrorData(answer.error);
    return answer;
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
      case 'answer':
        this.#asked.get(report.id)?.(report);
        return;
      case 'routes':
        this.#countRoutes(report.report);
        return;
      case 'recorded':
        this.#recordings.get(report.id)?.push(report.steps);
        return;
      case 'record-end':
        if (report.error === undefined) this.#recordings.get(report.id)?.push('end');
        else this.#recordings.get(report.id)?.fail(fromErrorData(report.error));
    }
  }

  // Events of a sequence that its consumer has left are on their way when the cancel is: nobody wants them.
  #deliver(event: EngineEvent): void {
    const outputs = this.#sequences.get(event.id);
    if (event.type === 'output') outputs?.push(event.output);
    else outputs?.fail(fromErrorData(event.error));
  }

  #countRoutes(report: RouteReport): void {
    const { counts } = report;
    this.#options.onRoutes?.(report);
    new Uint8Array(counts).fill(0);
    this.#send({ type: 'counts-back', counts }, [counts]);
  }

  #send(command: EngineCommand, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(command, transfer);
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
    for (const outputs of [...this.#sequences.values(), ...this.#recordings.values()]) outputs.fail(error);
    for (const answer of this.#asked.values()) answer({ error: toErrorData(error) });
  }
}

type EngineAnswer = Pick<Extract<EngineReport, { type: 'answer' }>, 'row' | 'error'>;

const shuttingDown = (): ExpertmeshError => new ExpertmeshError('unavailable', 'the coordinator is shutting down');
