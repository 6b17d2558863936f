import { ExpertmeshError, fromErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { ThreadClient, type ThreadOptions } from '@expertmesh/shared/threads/thread-client';
import { type RouteReport } from '../../balance/route-counter.js';
import { type RecordedSteps } from '../../balance/trace-recorder.js';
import { type DispatchStats } from '../../dispatch/dispatch-stats.js';
import { type QuarantineListener } from '../../dispatch/quarantine.js';
import { type WorkerCosts } from '../../dispatch/worker-cost.js';
import { type ConnectionListener } from '../../dispatch/worker-stream.js';
import { type WrongAnswerReport } from '../../dispatch/wrong-answers.js';
import {
  type EngineClient,
  type EngineLimits,
  type EngineStats,
  type SequenceOutput,
  type SequenceRequest,
} from '../../engine/engine-client.js';
import { type EngineEvent } from '../../engine/engine-event.js';
import { type EngineContract, type EngineThreadOptions } from './engine-contract.js';
import { OutputQueue } from './output-queue.js';

export interface ThreadedEngineOptions {
  readonly thread: EngineThreadOptions;
  readonly vocabSize: number;
  readonly onLoading: (loaded: number, total: number) => void;
  readonly onConnection: ConnectionListener;
  readonly onQuarantine: QuarantineListener;
  readonly onWrongAnswer: (report: WrongAnswerReport) => void;
  /** Gets what was routed, about once a second; the report's buffer holds during the call. */
  readonly onRoutes?: (report: RouteReport) => void;
  /** Blocks of the KV cache can no longer be kept on disk. */
  readonly onDiskFailed?: (reason: string) => void;
  /** The thread has ended without being asked to: nothing can be generated any more. */
  readonly onDeath: (error: ExpertmeshError) => void;
}

type EngineThread = ThreadClient<EngineContract>;
type Reported = EngineContract['events']['stats'];

/** The engine in its thread, seen from the main thread. */
export class ThreadedEngine implements EngineClient {
  readonly limits: EngineLimits;
  readonly #thread: EngineThread;
  readonly #events: EngineEvents;
  #nextId = 1;

  private constructor(limits: EngineLimits, thread: EngineThread, events: EngineEvents) {
    this.limits = limits;
    this.#thread = thread;
    this.#events = events;
  }

  /** Starts the thread and loads the dense part of the model. Rejects with what the thread says when that fails. */
  static async start(options: ThreadedEngineOptions, signal: AbortSignal): Promise<ThreadedEngine> {
    const events = new EngineEvents(options);
    const { thread } = await ThreadClient.start<EngineContract>(
      {
        name: 'the engine thread',
        entry: new URL('./engine-thread.js', import.meta.url),
        data: options.thread,
        on: events.handlers((counts) => {
          thread.send('countsBack', counts, [counts]);
        }),
        onDeath: (error) => {
          events.failAll(error);
          options.onDeath(error);
        },
      },
      signal,
    );
    const { vocabSize } = options;
    return new ThreadedEngine({ maxModelLen: options.thread.maxModelLen, vocabSize }, thread, events);
  }

  async *generate(request: SequenceRequest, signal: AbortSignal): AsyncGenerator<SequenceOutput> {
    const cancelled = (): ExpertmeshError => new ExpertmeshError('cancelled', 'the request was cancelled');
    if (signal.aborted) throw cancelled();
    if (this.#thread.endedBy !== undefined) throw this.#thread.endedBy;
    const id = this.#nextId++;
    const outputs = new OutputQueue<SequenceOutput>();
    // Told at once, as a consumer that waits for something else may come for the error much later.
    const onAbort = (): void => {
      this.#thread.send('cancel', { id });
      outputs.fail(cancelled());
    };
    signal.addEventListener('abort', onAbort);
    this.#events.sequences.set(id, outputs);
    this.#thread.send('submit', { id, request });
    let numOpen = request.numAnswers ?? 1;
    try {
      for await (const output of outputs) {
        if (output.finishReason !== undefined) numOpen -= 1;
        yield output;
        if (numOpen === 0) return;
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#events.sequences.delete(id);
      if (numOpen > 0) this.#thread.send('cancel', { id });
    }
  }

  stats(): EngineStats {
    return this.#events.reported().engine;
  }

  dispatchStats(): DispatchStats {
    return this.#events.reported().dispatch;
  }

  /**
   * Routes by this placement from now on.
   *
   * @returns when no dispatch that began by an earlier one is under way any more.
   */
  setPlacement(placement: Placement): Promise<void> {
    return this.#thread.request('setPlacement', placement);
  }

  /** What workers are known to cost, by which replicas are chosen. */
  setWorkerCosts(costs: WorkerCosts): void {
    this.#thread.send('workerCosts', costs);
  }

  /** Workers whose experts find no room elsewhere. */
  setIrreplaceable(workerIds: readonly string[]): void {
    this.#thread.send('irreplaceable', workerIds);
  }

  setWorkerUp(workerId: string, dataAddress: string): void {
    this.#thread.send('workerUp', { workerId, dataAddress });
  }

  setWorkerDown(workerId: string, reason: string): void {
    this.#thread.send('workerDown', { workerId, reason });
  }

  forgetWorker(workerId: string): void {
    this.#thread.send('workerForgotten', { workerId });
  }

  /** Sends a canary token through every layer and worker; see canary.ts. */
  canary(): Promise<void> {
    return this.#thread.request('canary', undefined);
  }

  /** What a worker computes for a fixed row, fp32 [hidden]; see GrpcExpertDispatcher.probeReplica. */
  probeReplica(workerId: string, layerIndex: number, expertId: number): Promise<Float32Array> {
    return this.#thread.request('probe', { workerId, layerIndex, expertId });
  }

  /**
   * The routes of all passes that begin from now on, until `signal` aborts or `maxRows` were recorded (Infinity: no
   * limit). Fails with `resource_exhausted` where another recording is under way, and where the consumer is too slow:
   * generation never waits for it.
   */
  async *recordSteps(maxRows: number, signal: AbortSignal): AsyncGenerator<RecordedSteps, void, void> {
    const recordingId = this.#nextId++;
    const recorded = new OutputQueue<RecordedSteps | 'end'>();
    const stopping = new AbortController();
    const stop = (): void => {
      stopping.abort();
    };
    const onProgress = (steps: RecordedSteps): void => {
      recorded.push(steps);
    };
    const recording = this.#thread.request('record', { recordingId, maxRows }, { signal: stopping.signal, onProgress });
    recording.then(
      () => {
        recorded.push('end');
      },
      (error: unknown) => {
        recorded.fail(ExpertmeshError.from(error));
      },
    );
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    try {
      for await (const steps of recorded) {
        if (steps === 'end') return;
        yield steps;
        this.#thread.send('recordedRead', { recordingId, numBytes: steps.content.length });
      }
    } finally {
      signal.removeEventListener('abort', stop);
      stop();
    }
  }

  /** Ends the step under way, fails what is left, and ends the thread; past the deadline it is ended by force. */
  async close(deadline: AbortSignal): Promise<void> {
    await this.#thread.close(deadline);
    this.#events.failAll(new ExpertmeshError('unavailable', 'the coordinator is shutting down'));
  }
}

/** What the engine thread tells, and who waits for it. */
class EngineEvents {
  readonly sequences = new Map<number, OutputQueue<SequenceOutput>>();
  readonly #options: ThreadedEngineOptions;
  #reported: Reported | undefined;

  constructor(options: ThreadedEngineOptions) {
    this.#options = options;
  }

  handlers(giveBack: (counts: ArrayBuffer) => void): ThreadOptions<EngineContract>['on'] {
    const { onLoading, onConnection, onQuarantine, onWrongAnswer, onRoutes, onDiskFailed } = this.#options;
    return {
      loading: ({ loaded, total }) => {
        onLoading(loaded, total);
      },
      sequences: (events) => {
        for (const event of events) this.#deliver(event);
      },
      connection: ({ workerId, lostBecause }) => {
        onConnection(workerId, lostBecause);
      },
      quarantine: ({ workerId, because }) => {
        onQuarantine(workerId, because);
      },
      wrongAnswer: onWrongAnswer,
      stats: (reported) => {
        this.#reported = reported;
      },
      routes: (report) => {
        onRoutes?.(report);
        new Uint8Array(report.counts).fill(0);
        giveBack(report.counts);
      },
      diskFailed: (reason) => {
        onDiskFailed?.(reason);
      },
    };
  }

  reported(): Reported {
    if (this.#reported === undefined) throw new ExpertmeshError('internal', 'the engine has not reported yet');
    return this.#reported;
  }

  failAll(error: ExpertmeshError): void {
    for (const outputs of this.sequences.values()) outputs.fail(error);
  }

  // Events of a sequence that its consumer has left are on their way when the cancel is: nobody wants them.
  #deliver(event: EngineEvent): void {
    const outputs = this.sequences.get(event.id);
    if (event.type === 'output') outputs?.push(event.output);
    else outputs?.fail(fromErrorData(event.error));
  }
}
