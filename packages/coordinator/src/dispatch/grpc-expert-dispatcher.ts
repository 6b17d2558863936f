import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { MAX_MESSAGE_BYTES } from '@expertmesh/shared/limits/limits';
import { expertsOf, LOCAL_MEMBER, type Placement } from '@expertmesh/shared/placement/placement';
import { systemClock } from '@expertmesh/shared/rpc/clock';
import { type DispatchAnswer, type WireDtype } from '@expertmesh/shared/rpc/dispatch-message';
import { toWireRows } from '@expertmesh/shared/rpc/wire-rows';
import { checkAnswer, combineParts, type PartOutcome } from './combine.js';
import { type DispatchStats } from './dispatch-stats.js';
import { type ExpertLink, type OutgoingCall } from './expert-link.js';
import {
  type AllExperts,
  type DispatchTimes,
  type ExpertDispatcher,
  type LayerCall,
  type LayerResult,
} from './expert-dispatcher.js';
import { FailoverCounts } from './failover.js';
import { type DispatchContext, LayerDispatch } from './layer-dispatch.js';
import { probeCall, probePart } from './probe.js';
import { ReplicaRouter } from './replica-router.js';
import { type DispatchPart, maxRowsPerMessage } from './route-plan.js';
import { type WorkerCosts } from './worker-cost.js';
import { WorkerLinks, type WorkerLinksOptions } from './worker-links.js';

export interface GrpcExpertDispatcherOptions extends WorkerLinksOptions {
  readonly hiddenSize: number;
  /** How rows travel, both ways. */
  readonly wireDtype: WireDtype;
  /**
   * Longest time for the calls of one layer, with all that is sent again. A worker that vanished is noticed sooner, by its connection
   * or by membership's heartbeat (setWorkerDown); this is for one that is there and does not answer.
   */
  readonly callTimeoutMs: number;
  readonly maxMessageBytes?: number;
}

/** Sees what a layer call asks of each worker. @param workerIds of the placement */
export type PartsObserver = (workerIds: readonly string[], parts: readonly DispatchPart[]) => void;

/**
 * Computes the experts of a layer on workers. All workers' calls of a layer are in flight together; their answers are checked
 * and added up in the placement's order of workers, those that were sent again in the place of what they stand for. So the same parts
 * have the same bits; which replicas took part changes only how the terms of a sum are grouped, which is rounding of the last bits.
 * Lives in the engine thread.
 */
export class GrpcExpertDispatcher implements ExpertDispatcher {
  readonly #options: GrpcExpertDispatcherOptions;
  readonly #links: WorkerLinks;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #failovers = new FailoverCounts();
  /** Called when there is a newer placement, or will be none any more. */
  readonly #placementListeners = new Set<() => void>();
  #router: ReplicaRouter | undefined;

  constructor(options: GrpcExpertDispatcherOptions) {
    this.#options = options;
    this.#links = new WorkerLinks(options);
  }

  /**
   * Routes by this placement the layers that are dispatched from now on, and what must be sent again.
   *
   * @returns when those that were dispatched before have ended: then nobody here asks for a replica that the placement lacks.
   */
  async setPlacement(placement: Placement, costs?: WorkerCosts): Promise<void> {
    const before = [...this.#underWay];
    this.#router = new ReplicaRouter(placement, costs);
    this.#tellPlacementListeners();
    await Promise.allSettled(before);
  }

  /** As WorkerLinks. */
  setWorkerUp(workerId: string, dataAddress: string): void {
    this.#links.setWorkerUp(workerId, dataAddress);
  }

  /** As WorkerLinks. */
  setWorkerDown(workerId: string, reason: string): void {
    this.#links.setWorkerDown(workerId, reason);
  }

  /** @throws ExpertmeshError `failed_precondition` before the first placement. */
  async dispatch(call: LayerCall, observe?: PartsObserver): Promise<LayerResult> {
    const dispatched = this.#dispatch(call, observe);
    this.#underWay.add(dispatched);
    try {
      return await dispatched;
    } finally {
      this.#underWay.delete(dispatched);
    }
  }

  async #dispatch(call: LayerCall, observe: PartsObserver | undefined): Promise<LayerResult> {
    const router = this.#requireRouter();
    const { hiddenSize } = this.#options;
    const startMs = performance.now();
    const layer = new LayerDispatch(call, this.#contextOf(call));
    const parts = layer.plan(router);
    observe?.(router.placement.workerIds, parts);
    const answers = parts.map((part) => layer.compute(part, router));
    const sentMs = performance.now();
    const outcomes = (await Promise.all(answers)).flat();
    const answeredMs = performance.now();
    const combined = combineParts(call.numRows, hiddenSize, outcomes);
    const times = dispatchTimes(startMs, sentMs, answeredMs, performance.now(), outcomes);
    return { ...combined, times };
  }

  allExperts(): AllExperts | undefined {
    const isAllLocal = this.#router?.placement.workerIds.every((workerId) => workerId === LOCAL_MEMBER) ?? false;
    return isAllLocal ? this.#options.local?.allExperts : undefined;
  }

  /**
   * Sends every worker of the placement one row for one of its experts of the layer, except workers that are away and can be spared.
   *
   * @throws ExpertmeshError of the first worker (in the placement's order) that did not answer with finite values.
   */
  async probe(layerIndex: number): Promise<void> {
    const router = this.#requireRouter();
    const { placement } = router;
    const isAway = (workerIndex: number): boolean => !this.#links.isConnected(placement.workerIds[workerIndex] ?? '');
    const outcomes = await Promise.all(
      placement.workerIds.flatMap((_, workerIndex) => {
        const held = expertsOf(placement, layerIndex, workerIndex);
        const isSpared = (expertId: number): boolean => router.replicasOf(layerIndex, expertId, isAway).length > 0;
        const [expertId] = held;
        if (expertId === undefined || (isAway(workerIndex) && held.every(isSpared))) return [];
        return [this.#probe(layerIndex, expertId, workerIndex, placement)];
      }),
    );
    for (const outcome of outcomes) if (outcome.kind === 'failed') throw outcome.error;
  }

  /**
   * What a worker, in the placement or not yet, computes for a fixed row with weight 1: fp32 [hidden]. Two replicas of an expert agree.
   *
   * @throws ExpertmeshError as its call, and `data_loss` for values that are not finite.
   */
  async probeReplica(workerId: string, layerIndex: number, expertId: number): Promise<Float32Array> {
    const version = this.#router?.placement.version ?? 0;
    const outcome = await this.#probe(layerIndex, expertId, 0, { version, workerIds: [workerId] }, 'fp32');
    if (outcome.kind === 'failed') throw outcome.error;
    const { sums } = combineParts(1, this.#options.hiddenSize, [outcome]);
    return sums;
  }

  stats(): DispatchStats {
    return {
      placementVersion: this.#router?.placement.version,
      workers: this.#links.stats(),
      failovers: this.#failovers.read(),
    };
  }

  /** Ends the streams; what is in flight fails with `unavailable`. */
  close(): Promise<void> {
    this.#links.close();
    this.#tellPlacementListeners();
    return Promise.resolve();
  }

  #contextOf(call: LayerCall): DispatchContext {
    const {
      hiddenSize,
      wireDtype,
      callTimeoutMs,
      maxMessageBytes = MAX_MESSAGE_BYTES,
      clock = systemClock,
    } = this.#options;
    return {
      clock,
      timeoutMs: callTimeoutMs,
      maxRowsPerPart: maxRowsPerMessage(hiddenSize, call.topK, wireDtype, maxMessageBytes),
      newestRouter: () => this.#requireRouter(),
      newerRouter: (than, waitMs) => this.#newerRouter(than, waitMs),
      isConnected: (workerId) => this.#links.isConnected(workerId),
      compute: (part, placement, deadlineMs) => this.#computePart(call, part, placement, deadlineMs),
      countFailover: (workerId, reason) => {
        this.#failovers.add(workerId, reason);
      },
    };
  }

  #newerRouter(than: ReplicaRouter, waitMs: number): Promise<void> {
    if (this.#router !== than) return Promise.resolve();
    const { clock = systemClock } = this.#options;
    return new Promise((resolve) => {
      const end = (): void => {
        cancelTimer();
        this.#placementListeners.delete(end);
        resolve();
      };
      const cancelTimer = clock.after(waitMs, end);
      this.#placementListeners.add(end);
    });
  }

  #tellPlacementListeners(): void {
    for (const tell of this.#placementListeners) tell();
  }

  #probe(
    layerIndex: number,
    expertId: number,
    workerIndex: number,
    placement: RoutedBy,
    rowDtype?: WireDtype,
  ): Promise<PartOutcome> {
    const { hiddenSize, callTimeoutMs } = this.#options;
    const call = probeCall(layerIndex, expertId, hiddenSize);
    return this.#computePart(call, probePart(workerIndex, expertId), placement, callTimeoutMs, rowDtype);
  }

  async #computePart(
    call: LayerCall,
    part: DispatchPart,
    placement: RoutedBy,
    deadlineMs: number,
    rowDtype = this.#options.wireDtype,
  ): Promise<PartOutcome> {
    const workerId = placement.workerIds[part.workerIndex] ?? '';
    const message = this.#message(call, part, placement.version, workerId === LOCAL_MEMBER ? 'fp32' : rowDtype);
    const failed = (error: ExpertmeshError): PartOutcome => ({ kind: 'failed', part, error });
    let link: ExpertLink;
    let answer: DispatchAnswer;
    try {
      link = this.#links.linkTo(workerId);
      answer = await link.call(message, deadlineMs);
    } catch (thrown) {
      return failed(ExpertmeshError.from(thrown));
    }
    const wrong = checkAnswer(message, answer, link.peer);
    if (wrong === undefined) return { kind: 'answered', part, answer };
    link.countWrongAnswer();
    return failed(wrong);
  }

  #message(call: LayerCall, part: DispatchPart, placementVersion: number, rowDtype: WireDtype): OutgoingCall {
    const { hiddenSize } = this.#options;
    const rows = gatherRows(call, part.rowIndices, hiddenSize);
    return {
      layerIndex: call.layerIndex,
      placementVersion,
      numRows: part.rowIndices.length,
      hiddenSize,
      rowOffsets: part.rowOffsets,
      expertIds: part.expertIds,
      routingWeights: part.routingWeights,
      ...toWireRows(rowDtype, rows, hiddenSize),
    };
  }

  #requireRouter(): ReplicaRouter {
    if (this.#router !== undefined) return this.#router;
    throw new ExpertmeshError('failed_precondition', 'no placement yet: no worker has been given experts');
  }
}

type RoutedBy = Pick<Placement, 'version' | 'workerIds'>;

// The slowest worker is the one that waited and computed longest; the others' time lies within its.
function dispatchTimes(
  startMs: number,
  sentMs: number,
  answeredMs: number,
  endMs: number,
  outcomes: readonly PartOutcome[],
): DispatchTimes {
  let waitUs = 0;
  let computeUs = 0;
  for (const outcome of outcomes) {
    if (outcome.kind === 'failed') continue;
    const { queueUs, computeUs: ownUs } = outcome.answer;
    if (queueUs + ownUs <= waitUs + computeUs) continue;
    waitUs = queueUs;
    computeUs = ownUs;
  }
  const roundTripUs = (answeredMs - sentMs) * 1000;
  return {
    serialiseUs: (sentMs - startMs) * 1000,
    wireUs: Math.max(0, roundTripUs - waitUs - computeUs),
    waitUs,
    computeUs,
    combineUs: (endMs - answeredMs) * 1000,
  };
}

// Row indices ascend and are distinct, so as many as the call has are all of them, in order.
function gatherRows(call: LayerCall, rowIndices: Uint32Array, hiddenSize: number): Float32Array {
  if (rowIndices.length === call.numRows) return call.rows.subarray(0, call.numRows * hiddenSize);
  const rows = new Float32Array(rowIndices.length * hiddenSize);
  rowIndices.forEach((rowIndex, partRow) => {
    rows.set(call.rows.subarray(rowIndex * hiddenSize, (rowIndex + 1) * hiddenSize), partRow * hiddenSize);
  });
  return rows;
}
