import { missingExperts } from '@expertmesh/compute/experts/local-indices';
import { setImmediate } from 'node:timers/promises';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { frameDispatchAnswer } from '@expertmesh/shared/rpc/dispatch-codec';
import {
  type CallError,
  type DispatchCall,
  type RowDtype,
  type WireRows,
} from '@expertmesh/shared/rpc/dispatch-message';
import { firstNonFinite } from '@expertmesh/shared/rpc/non-finite';
import { toWireRows } from '@expertmesh/shared/rpc/wire-rows';
import { CallQueue, type QueueBounds } from './call-queue.js';
import { type ServedShard } from '../shards/served-shard.js';
import { findLayer } from './call-validation.js';
import { errorAnswer, NO_ROWS, toCallError } from './error-answer.js';
import { type CallIdentity, type IncomingCall } from './incoming-call.js';
import { type LoadedLayer } from '../shards/loaded-layer.js';
import { fitRunCost, NO_RUNS, withRun } from './run-cost.js';
import { type WorkerCounters } from './worker-counters.js';

/** Sends one encoded DispatchResponse with gRPC's prefix in front. */
export type SendAnswer = (answer: Buffer) => void;

export interface CallExecutorOptions {
  readonly served: () => ServedShard<LoadedLayer> | undefined;
  readonly counters: WorkerCounters;
  /** Experts that the model routes a row to. */
  readonly topK: number;
  /** What may wait; the call after that is refused. */
  readonly queueBounds: QueueBounds;
  /** Calls are computed together up to this many pairs (or rows, where a call has more of those). */
  readonly maxBatchRows: number;
}

/** What runs cost changes slowly. */
const RUNS_BETWEEN_FITS = 16;

interface Run {
  readonly startMs: number;
  readonly computeUs: number;
  readonly numCallsTogether: number;
}

type TakenCall = Extract<IncomingCall, { readonly kind: 'call' }>;

interface WaitingCall {
  readonly call: DispatchCall;
  readonly batchKey: LoadedLayer;
  readonly batchRows: number;
  readonly sizeBytes: number;
  readonly arrivedAtMs: number;
  /** The stream that it came on. */
  readonly owner: object;
  readonly send: SendAnswer;
}

/** Answers the calls of all streams: checks, queues, computes those of one layer together, encodes. */
export class CallExecutor {
  readonly #options: CallExecutorOptions;
  readonly #queue: CallQueue<WaitingCall>;
  #running: Promise<void> | undefined;
  #runCosts = NO_RUNS;
  #isDraining = false;

  constructor(options: CallExecutorOptions) {
    this.#options = options;
    this.#queue = new CallQueue(options.queueBounds);
  }

  /** Calls `send` exactly once, at once for a call that is refused, unless `forget(owner)` comes before. */
  submit(incoming: IncomingCall, owner: object, send: SendAnswer): void {
    this.#options.counters.add('numCalls', 1);
    if (incoming.kind === 'refused') {
      this.#sendError(incoming.identity, incoming.error, send);
      return;
    }
    try {
      this.#enqueue(incoming, owner, send);
    } catch (error) {
      this.#sendError(incoming.call, toCallError(error), send);
    }
  }

  /** Drops the waiting calls of a stream that is gone. */
  forget(owner: object): void {
    for (const { batchKey } of this.#takeWaiting((waiting) => waiting.owner === owner)) batchKey.release();
  }

  /** Refuses the waiting calls whose experts were withdrawn since they came. */
  refuseWithdrawn(): void {
    for (const { call, batchKey, send } of this.#takeWaiting((waiting) => withdrawnExperts(waiting).length > 0)) {
      batchKey.release();
      this.#sendError(call, withdrawnError(call, batchKey), send);
    }
  }

  /**
   * Refuses new calls from now on, for good, and returns when the waiting ones are answered. When `signal` aborts,
   * those that still wait are failed; the one that is being computed is finished.
   *
   * @returns how many were failed.
   */
  async drain(signal: AbortSignal): Promise<number> {
    this.#isDraining = true;
    let numFailed = 0;
    const failWaiting = (): void => {
      const error = {
        code: 'unavailable',
        message: 'this worker is draining and the time for queued calls is over',
      } as const;
      for (const waiting of this.#takeWaiting(() => true)) {
        numFailed += 1;
        waiting.batchKey.release();
        this.#sendError(waiting.call, error, waiting.send);
      }
    };
    if (signal.aborted) failWaiting();
    signal.addEventListener('abort', failWaiting, { once: true });
    await this.#running;
    signal.removeEventListener('abort', failWaiting);
    return numFailed;
  }

  #enqueue({ call, sizeBytes }: TakenCall, owner: object, send: SendAnswer): void {
    if (this.#isDraining)
      throw new ExpertmeshError('unavailable', 'this worker is draining: send the call to another replica');
    const layer = findLayer(call, this.#options.topK, this.#options.served());
    const batchRows = Math.max(call.numRows, call.expertIds.length);
    if (!this.#queue.push({ call, batchKey: layer, batchRows, sizeBytes, arrivedAtMs: performance.now(), owner, send }))
      throw queueIsFull(this.#queue.size, this.#options.queueBounds);
    layer.acquire();
    this.#options.counters.set('numQueuedCalls', this.#queue.size);
    this.#running ??= this.#runAll();
  }

  // Computing blocks this thread. The pause between batches lets answers out to the sockets, and lets in
  // the calls that arrived meanwhile, so that they are computed together; the first batch takes the calls that came in
  // the same chunk.
  async #runAll(): Promise<void> {
    await Promise.resolve();
    while (this.#queue.size > 0) {
      const batch = this.#queue.takeBatch(this.#options.maxBatchRows);
      this.#options.counters.set('numQueuedCalls', this.#queue.size);
      const layer = batch[0]?.batchKey;
      if (layer !== undefined) await this.#runParts(layer, batch);
      await setImmediate();
    }
    this.#running = undefined;
  }

  /** Calls with exact sums and calls without are not computed together. */
  async #runParts(layer: LoadedLayer, batch: readonly WaitingCall[]): Promise<void> {
    const exact = batch.filter(({ call }) => call.sumUnits !== undefined);
    const others = exact.length === 0 ? batch : batch.filter(({ call }) => call.sumUnits === undefined);
    if (exact.length > 0) await this.#runBatch(layer, exact);
    if (others.length > 0) await this.#runBatch(layer, others);
  }

  async #runBatch(layer: LoadedLayer, batch: readonly WaitingCall[]): Promise<void> {
    const startMs = performance.now();
    let sums: readonly Float32Array[];
    try {
      sums = await layer.runner.run(batch.map(({ call }) => call));
    } catch (error) {
      for (const { call, send } of batch) this.#sendError(call, toCallError(error), send);
      return;
    } finally {
      for (const { batchKey } of batch) batchKey.release();
    }
    const run = { startMs, computeUs: microseconds(startMs, performance.now()), numCallsTogether: batch.length };
    this.#count(batch, run.computeUs);
    this.#learnCost(layer, batch, run.computeUs / 1e6);
    for (const [index, waiting] of batch.entries()) {
      if (withdrawnExperts(waiting).length > 0)
        this.#sendError(waiting.call, withdrawnError(waiting.call, layer), waiting.send);
      else this.#answer(waiting, sums[index] ?? NO_ROWS, run);
    }
  }

  #count(batch: readonly WaitingCall[], computeUs: number): void {
    const { counters } = this.#options;
    counters.add('numRuns', 1);
    counters.add('computeUs', computeUs);
    for (const { call } of batch) counters.add('numPairs', call.expertIds.length);
  }

  #learnCost({ localIndices }: LoadedLayer, batch: readonly WaitingCall[], seconds: number): void {
    const { counters } = this.#options;
    const numPairs = batch.reduce((sum, { call }) => sum + call.expertIds.length, 0);
    const activeExperts = countActiveExperts(batch, localIndices.length);
    this.#runCosts = withRun(this.#runCosts, { activeExperts, numPairs, seconds });
    if (this.#runCosts.numRuns % RUNS_BETWEEN_FITS !== 0) return;
    const cost = fitRunCost(this.#runCosts);
    counters.set('secondsPerActiveExpert', cost?.secondsPerActiveExpert ?? 0);
    counters.set('secondsPerToken', cost?.secondsPerToken ?? 0);
  }

  /** Values that the answer has no room for are an error that says so: nothing is damaged, and nobody asks again. */
  #answer({ call, arrivedAtMs, send }: WaitingCall, sums: Float32Array, run: Run): void {
    const rows = answerRows(call, sums);
    const tooLarge = firstNonFinite(rows, call.hiddenSize);
    if (tooLarge !== undefined) {
      this.#sendError(call, outOfRange(call, rows.rowDtype, tooLarge.what), send);
      return;
    }
    const answer = frameDispatchAnswer({
      callId: call.callId,
      layerIndex: call.layerIndex,
      placementVersion: call.placementVersion,
      numRows: call.numRows,
      hiddenSize: call.hiddenSize,
      numPairs: call.expertIds.length,
      error: undefined,
      queueUs: microseconds(arrivedAtMs, run.startMs),
      computeUs: run.computeUs,
      numCallsTogether: run.numCallsTogether,
      ...rows,
    });
    send(answer);
  }

  #takeWaiting(isWanted: (waiting: WaitingCall) => boolean): WaitingCall[] {
    const taken = this.#queue.takeWhere(isWanted);
    this.#options.counters.set('numQueuedCalls', this.#queue.size);
    return taken;
  }

  #sendError(identity: CallIdentity, error: CallError, send: SendAnswer): void {
    this.#options.counters.add('numFailedCalls', 1);
    send(frameDispatchAnswer(errorAnswer(identity, error)));
  }
}

const outOfRange = ({ layerIndex }: DispatchCall, dtype: RowDtype, what: string): CallError => ({
  code: 'out_of_range',
  message:
    `the experts' sum for layer ${String(layerIndex)} is too large for an answer in ${dtype}: ${what}; ` +
    (dtype === 'fp16' ? 'start the coordinator with --wire-dtype fp32' : 'check the weights of the model'),
});

const answerRows = ({ sumUnits, rowDtype, hiddenSize }: DispatchCall, sums: Float32Array): WireRows<RowDtype> =>
  sumUnits === undefined ? toWireRows(rowDtype, sums, hiddenSize) : { rowDtype: 'exact', rows: sums };

const queueIsFull = (numCalls: number, { maxCalls, maxBytes }: QueueBounds): ExpertmeshError =>
  new ExpertmeshError(
    'resource_exhausted',
    `${String(numCalls)} calls wait on this worker; at most ${String(maxCalls)} calls of ` +
      `${formatBytes(maxBytes)} together may: send fewer at a time`,
  );

function countActiveExperts(batch: readonly WaitingCall[], numExperts: number): number {
  const isActive = new Uint8Array(numExperts);
  let numActive = 0;
  for (const { call } of batch)
    for (const expertId of call.expertIds) {
      if (isActive[expertId] === 0) numActive += 1;
      isActive[expertId] = 1;
    }
  return numActive;
}

/** Those of a call that were withdrawn since it was taken. */
const withdrawnExperts = ({ call, batchKey }: Pick<WaitingCall, 'call' | 'batchKey'>): number[] =>
  batchKey.isIntact ? [] : missingExperts(call.expertIds, batchKey.localIndices);

const withdrawnError = (call: DispatchCall, batchKey: LoadedLayer): CallError => ({
  code: 'failed_precondition',
  message: `weights of layer ${String(call.layerIndex)} were found to be damaged: send the call to another replica`,
  missingExpertIds: withdrawnExperts({ call, batchKey }),
});

const microseconds = (startMs: number, endMs: number): number => Math.round((endMs - startMs) * 1000);
