import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { MAX_MESSAGE_BYTES } from '@expertmesh/shared/limits/limits';
import { expertsOf, LOCAL_MEMBER, type Placement } from '@expertmesh/shared/placement/placement';
import { systemClock } from '@expertmesh/shared/rpc/clock';
import { type DispatchAnswer, type WireDtype, type WireRows } from '@expertmesh/shared/rpc/dispatch-message';
import { takeWireRows, toWireRows } from '@expertmesh/shared/rpc/wire-rows';
import { checkAnswer, combineParts, type PartOutcome } from './combine.js';
import { type DispatchStats } from './dispatch-stats.js';
import { dispatchTimes } from './dispatch-times.js';
import { type ExpertLink, type OutgoingCall } from './expert-link.js';
import { type AllExperts, type ExpertDispatcher, type LayerCall, type LayerResult } from './expert-dispatcher.js';
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
   * Longest time for the calls of one layer, with all that is sent again. A worker that vanished is noticed sooner, by
   * its connection or by membership's heartbeat (setWorkerDown); this is for one that is there and does not answer.
   */
  readonly callTimeoutMs: number;
  readonly maxMessageBytes?: number;
}

/** Sees what a layer call asks of each worker. @param workerIds of the placement */
export type PartsObserver = (workerIds: readonly string[], parts: readonly DispatchPart[]) => void;

/**
 * Computes the experts of a layer on workers. All workers' calls of a layer are in flight together; their answers are
 * checked and added up in the placement's order of workers, also what was sent again, so that the same parts have the
 * same bits. Which replicas took part changes only how the terms of a sum are grouped, and that only the rounding of
 * its last bits. Lives in the engine thread.
 */
export class GrpcExpertDispatcher implements ExpertDispatcher {
  readonly #options: GrpcExpertDispatcherOptions;
  readonly #links: WorkerLinks;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #failovers = new FailoverCounts();
  /** Called when there is a newer placement, or will be none any more. */
  readonly #placementListeners = new Set<() => void>();
  #router: ReplicaRouter | undefined;
  #costs: WorkerCosts = new Map();

  constructor(options: GrpcExpertDispatcherOptions) {
    this.#options = options;
    this.#links = new WorkerLinks(options);
  }

  /**
   * Routes by this placement the layers that are dispatched from now on, and what must be sent again.
   *
   * @returns when those that were dispatched before have ended: then nobody here asks for a replica that the placement
   * lacks.
   */
  async setPlacement(placement: Placement): Promise<void> {
    const before = [...this.#underWay];
    this.#router = new ReplicaRouter(placement, this.#costs);
    this.#tellPlacementListeners();
    await Promise.allSettled(before);
  }

  /** By which replicas are chosen from now on; what workers have had to do lately counts as before. */
  setWorkerCosts(costs: WorkerCosts): void {
    this.#costs = costs;
    this.#router?.setCosts(costs);
  }

  /** As WorkerLinks. */
  setWorkerUp(workerId: string, dataAddress: string): void {
    this.#links.setWorkerUp(workerId, dataAddress);
  }

  /** As WorkerLinks. */
  setWorkerDown(workerId: string, reason: string): void {
    this.#links.setWorkerDown(workerId, reason);
  }

  /** As WorkerLinks; its counts are dropped, too. */
  forgetWorker(workerId: string): void {
    this.#links.forgetWorker(workerId);
    this.#failovers.forget(workerId);
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
    const parts = layer.plan(router).sort(mostPairsFirst);
    observe?.(router.placement.workerIds, parts);
    const answers = parts.map((part) => layer.compute(part, router));
    const sentMs = performance.now();
    const outcomes = (await Promise.all(answers)).flat();
    const answeredMs = performance.now();
    const combined = combineParts(call.numRows, hiddenSize, outcomes.sort(inPlacementOrder));
    const times = dispatchTimes({ startMs, sentMs, answeredMs, endMs: performance.now() }, outcomes);
    return { ...combined, times };
  }

  allExperts(): AllExperts | undefined {
    const isAllLocal = this.#router?.placement.workerIds.every((workerId) => workerId === LOCAL_MEMBER) ?? false;
    return isAllLocal ? this.#options.local?.allExperts : undefined;
  }

  /**
   * Sends every worker of the placement one row for one of its experts of the layer, except workers that are away and
   * can be spared.
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
   * What a worker, in the placement or not yet, computes for a fixed row with weight 1: fp32 [hidden]. Two replicas of
   * an expert agree.
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
    const rowsOf = this.#wireRowsOf(call);
    return {
      clock,
      timeoutMs: callTimeoutMs,
      maxRowsPerPart: maxRowsPerMessage(hiddenSize, call.topK, wireDtype, maxMessageBytes),
      newestRouter: () => this.#requireRouter(),
      newerRouter: (than, waitMs) => this.#newerRouter(than, waitMs),
      isConnected: (workerId) => this.#links.isConnected(workerId),
      compute: (part, placement, deadlineMs) => this.#computePart(call.layerIndex, part, placement, deadlineMs, rowsOf),
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
    const rowsOf = this.#wireRowsOf(probeCall(layerIndex, expertId, hiddenSize), rowDtype);
    return this.#computePart(layerIndex, probePart(workerIndex, expertId), placement, callTimeoutMs, rowsOf);
  }

  // A row that several workers need is brought into the form in which it travels once.
  #wireRowsOf(call: LayerCall, dtype = this.#options.wireDtype): (isLocal: boolean) => WireRows {
    const { hiddenSize } = this.#options;
    const rows = call.rows.subarray(0, call.numRows * hiddenSize);
    let travelling: WireRows | undefined;
    return (isLocal) =>
      isLocal ? toWireRows('fp32', rows, hiddenSize) : (travelling ??= toWireRows(dtype, rows, hiddenSize));
  }

  async #computePart(
    layerIndex: number,
    part: DispatchPart,
    placement: RoutedBy,
    deadlineMs: number,
    rowsOf: (isLocal: boolean) => WireRows,
  ): Promise<PartOutcome> {
    const workerId = placement.workerIds[part.workerIndex] ?? '';
    const message = this.#message(layerIndex, part, placement.version, rowsOf(workerId === LOCAL_MEMBER));
    const failed = (error: ExpertmeshError): PartOutcome => ({ kind: 'failed', part, error });
    let link: ExpertLink;
    let answer: DispatchAnswer;
    try {
      link = this.#links.linkTo(workerId);
      answer = await link.call(message, deadlineMs);
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

  #requireRouter(): ReplicaRouter {
    if (this.#router !== undefined) return this.#router;
    throw new ExpertmeshError('failed_precondition', 'no placement yet: no worker has been given experts');
  }
}

type RoutedBy = Pick<Placement, 'version' | 'workerIds'>;

// What takes longest is sent first; ties keep the order of the placement, and so do a worker's parts.
const mostPairsFirst = (a: DispatchPart, b: DispatchPart): number => b.expertIds.length - a.expertIds.length;
const inPlacementOrder = (a: PartOutcome, b: PartOutcome): number => a.part.workerIndex - b.part.workerIndex;
