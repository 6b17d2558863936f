import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { MAX_MESSAGE_BYTES } from '@expertmesh/shared/limits/limits';
import { expertsOf, LOCAL_MEMBER, type Placement } from '@expertmesh/shared/placement/placement';
import { type Clock, systemClock } from '@expertmesh/shared/rpc/clock';
import { type DispatchAnswer, type WireDtype, type WireRows } from '@expertmesh/shared/rpc/dispatch-message';
import { takeWireRows, toWireRows } from '@expertmesh/shared/rpc/wire-rows';
import { checkAnswer, combineParts, type PartOutcome } from './combine.js';
import { type DispatchStats } from './dispatch-stats.js';
import { dispatchTimes } from './dispatch-times.js';
import { type ExpertLink, type OutgoingCall } from './expert-link.js';
import { type ExpertDispatcher, type LayerCall, type LayerResult } from './expert-dispatcher.js';
import { type DispatchPart, maxRowsPerMessage, planDispatch } from './route-plan.js';
import { type ConnectionListener, WorkerStream } from './worker-stream.js';

export interface GrpcExpertDispatcherOptions {
  readonly hiddenSize: number;
  /** How rows travel, both ways. */
  readonly wireDtype: WireDtype;
  /**
   * Longest time for one call. A worker that vanished is noticed sooner, by its connection or by membership's heartbeat
   * (setWorkerDown); this is for one that is there and does not answer.
   */
  readonly callTimeoutMs: number;
  /** The placement's member `LOCAL_MEMBER`, where it has one. */
  readonly local?: ExpertLink | undefined;
  readonly maxMessageBytes?: number;
  readonly onConnection?: ConnectionListener;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/**
 * Computes the experts of a layer on workers. All workers' calls of a layer are in flight together; their answers are checked
 * and added up in the placement's order of workers. Lives in the engine thread.
 */
export class GrpcExpertDispatcher implements ExpertDispatcher {
  readonly #options: GrpcExpertDispatcherOptions;
  readonly #streams = new Map<string, WorkerStream>();
  #placement: Placement | undefined;

  constructor(options: GrpcExpertDispatcherOptions) {
    this.#options = options;
  }

  /** Routes the layers that are dispatched from now on; those under way end with the placement that they began with. */
  setPlacement(placement: Placement): void {
    this.#placement = placement;
  }

  /** Opens the stream to a worker; one that is open at this address already stays. */
  setWorkerUp(workerId: string, dataAddress: string): void {
    const current = this.#streams.get(workerId);
    if (current?.isUsableAt(dataAddress)) return;
    current?.close('the worker has come back as another process');
    const { clock = systemClock, random = Math.random, onConnection } = this.#options;
    this.#streams.set(workerId, new WorkerStream({ workerId, address: dataAddress, clock, random, onConnection }));
  }

  /** Fails the worker's calls in flight at once, and later ones until it is up again, with this reason. */
  setWorkerDown(workerId: string, reason: string): void {
    this.#streams.get(workerId)?.close(reason);
  }

  /** @throws ExpertmeshError `failed_precondition` before the first placement. */
  async dispatch(call: LayerCall): Promise<LayerResult> {
    const placement = this.#requirePlacement();
    const { hiddenSize, wireDtype, maxMessageBytes = MAX_MESSAGE_BYTES } = this.#options;
    const maxRows = maxRowsPerMessage(hiddenSize, call.topK, wireDtype, maxMessageBytes);
    const startMs = performance.now();
    const parts = planDispatch(call, placement, maxRows).sort(mostPairsFirst);
    const answers = this.#computeParts(call, parts, placement);
    const sentMs = performance.now();
    // A failed part is a value here: sending it again to another replica belongs behind this line.
    const outcomes = await Promise.all(answers);
    const answeredMs = performance.now();
    const combined = combineParts(call.numRows, hiddenSize, outcomes.sort(inPlacementOrder));
    const times = dispatchTimes({ startMs, sentMs, answeredMs, endMs: performance.now() }, outcomes);
    return { ...combined, times };
  }

  /**
   * Sends every worker of the placement one row for one of its experts of the layer.
   *
   * @throws ExpertmeshError of the first worker (in the placement's order) that did not answer with finite values.
   */
  async probe(layerIndex: number): Promise<void> {
    const placement = this.#requirePlacement();
    const row = Float32Array.from({ length: this.#options.hiddenSize }, (_, column) => ((column % 7) - 3) / 4);
    const call = {
      layerIndex,
      numRows: 1,
      topK: 1,
      rows: row,
      expertIds: new Int32Array(1),
      routingWeights: Float32Array.of(1),
    };
    const parts = placement.workerIds.flatMap((_, workerIndex) => {
      const [expertId] = expertsOf(placement, layerIndex, workerIndex);
      return expertId === undefined ? [] : [onePair(workerIndex, expertId)];
    });
    const outcomes = await Promise.all(this.#computeParts(call, parts, placement));
    for (const outcome of outcomes) if (outcome.kind === 'failed') throw outcome.error;
  }

  stats(): DispatchStats {
    return {
      placementVersion: this.#placement?.version,
      workers: [...this.#streams.values()].map((stream) => stream.stats()),
    };
  }

  /** Ends the streams; what is in flight fails with `unavailable`. */
  close(): Promise<void> {
    for (const stream of this.#streams.values()) stream.close('the coordinator is shutting down');
    return Promise.resolve();
  }

  // A row that several workers need is brought into the form in which it travels once.
  #computeParts(call: LayerCall, parts: readonly DispatchPart[], placement: Placement): Promise<PartOutcome>[] {
    const { hiddenSize, wireDtype } = this.#options;
    const rows = call.rows.subarray(0, call.numRows * hiddenSize);
    let travelling: WireRows | undefined;
    const rowsOf = (isLocal: boolean): WireRows =>
      isLocal ? toWireRows('fp32', rows, hiddenSize) : (travelling ??= toWireRows(wireDtype, rows, hiddenSize));
    return parts.map((part) => this.#computePart(call, part, placement, rowsOf));
  }

  async #computePart(
    call: LayerCall,
    part: DispatchPart,
    placement: Placement,
    rowsOf: (isLocal: boolean) => WireRows,
  ): Promise<PartOutcome> {
    const workerId = placement.workerIds[part.workerIndex] ?? '';
    const isLocal = workerId === LOCAL_MEMBER;
    const link = isLocal ? this.#options.local : this.#streams.get(workerId);
    const failed = (error: ExpertmeshError): PartOutcome => ({ kind: 'failed', part, error });
    if (link === undefined)
      return failed(new ExpertmeshError('unavailable', `worker ${workerId} has not joined yet; is it running?`));
    const message = this.#message(call.layerIndex, part, placement.version, rowsOf(isLocal));
    let answer: DispatchAnswer;
    try {
      answer = await link.call(message, this.#options.callTimeoutMs);
    } catch (thrown) {
      return failed(ExpertmeshError.from(thrown));
    }
    const answeredMs = performance.now();
    const wrong = checkAnswer(message, answer, link.peer);
    if (wrong === undefined) return { kind: 'answered', part, answer, answeredMs };
    link.countWrongAnswer();
    return failed(wrong);
  }

  #message(layerIndex: number, part: DispatchPart, placementVersion: number, rows: WireRows): OutgoingCall {
    const { hiddenSize } = this.#options;
    return {
      layerIndex,
      placementVersion,
      numRows: part.rowIndices.length,
      hiddenSize,
      rowOffsets: part.rowOffsets,
      expertIds: part.expertIds,
      routingWeights: part.routingWeights,
      ...takeWireRows(rows, part.rowIndices, hiddenSize),
    };
  }

  #requirePlacement(): Placement {
    if (this.#placement !== undefined) return this.#placement;
    throw new ExpertmeshError('failed_precondition', 'no placement yet: no worker has been given experts');
  }
}

// What takes longest is sent first; ties keep the order of the placement, and so do a worker's parts.
const mostPairsFirst = (a: DispatchPart, b: DispatchPart): number => b.expertIds.length - a.expertIds.length;
const inPlacementOrder = (a: PartOutcome, b: PartOutcome): number => a.part.workerIndex - b.part.workerIndex;

const onePair = (workerIndex: number, expertId: number): DispatchPart => ({
  workerIndex,
  rowIndices: Uint32Array.of(0),
  rowOffsets: Uint32Array.of(0, 1),
  expertIds: Uint32Array.of(expertId),
  routingWeights: Float32Array.of(1),
});
