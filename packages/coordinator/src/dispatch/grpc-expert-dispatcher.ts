import { MAX_MESSAGE_BYTES } from '@expertmesh/shared/limits/limits';
import { type Numerics } from '@expertmesh/shared/config/numerics';
import { LOCAL_MEMBER, type Placement } from '@expertmesh/shared/placement/placement';
import { type Clock, systemClock } from '@expertmesh/shared/rpc/clock';
import { type WireDtype } from '@expertmesh/shared/rpc/dispatch-message';
import { type StoredReference } from './canary-references.js';
import { CanaryRounds } from './canary-rounds.js';
import { combineParts, type PartOutcome } from './combine.js';
import { CurrentRouter } from './current-router.js';
import { type DispatchStats } from './dispatch-stats.js';
import { dispatchTimes } from './dispatch-times.js';
import { type AllExperts, type ExpertDispatcher, type LayerCall, type LayerResult } from './expert-dispatcher.js';
import { FailoverCounts } from './failover.js';
import { type FailoverOptions, LayerFailover } from './layer-failover.js';
import { LostExperts } from './lost-experts.js';
import { PartsUnderWay } from './parts-under-way.js';
import { TravellingRows, WorkerPartCaller } from './part-caller.js';
import { type QuarantineListener } from './quarantine.js';
import { ReplicaProbes } from './replica-probes.js';
import { type DispatchPart, maxExactRowsPerMessage, maxRowsPerMessage } from './route-plan.js';
import { type WorkerCosts } from './worker-cost.js';
import { WorkerLinks, type WorkerLinksOptions } from './worker-links.js';
import { WorkerStanding } from './worker-standing.js';
import { type WrongAnswerReport } from './wrong-answers.js';

export interface GrpcExpertDispatcherOptions extends WorkerLinksOptions {
  /** Of the store whose experts are asked for; see storeIdOfCalls. */
  readonly storeId: string;
  readonly hiddenSize: number;
  /** How rows travel, both ways. */
  readonly wireDtype: WireDtype;
  /** `fast` if absent. */
  readonly numerics?: Numerics;
  /**
   * Longest time for the calls of one layer, with all that is sent again. A worker that vanished is noticed sooner, by
   * its connection or by membership's heartbeat (setWorkerDown); this is for one that is there and does not answer.
   */
  readonly callTimeoutMs: number;
  readonly maxMessageBytes?: number;
  /** --replacement-wait-ms; 0 if absent. */
  readonly replacementWaitMs?: number;
  /** Whether a late call is sent to another replica as well; not where absent. */
  readonly hedging?: boolean;
  /** Time of a round of canary rows through all workers and layers; absent for none but those of exams. */
  readonly canaryIntervalMs?: number | undefined;
  /** Decides between answers to canary rows that contradict each other; see CanaryReferences. */
  readonly storedReference?: StoredReference;
  readonly onQuarantine?: QuarantineListener;
  readonly onWrongAnswer?: (report: WrongAnswerReport) => void;
}

/** Sees what a layer call asks of each worker. @param workerIds of the placement */
export type PartsObserver = (workerIds: readonly string[], parts: readonly DispatchPart[]) => void;

/**
 * Computes the experts of a layer on workers. All workers' calls of a layer are in flight together; their answers are
 * checked and added up in the placement's order of workers, also what was sent again, so that the same parts have the
 * same bits. Which replicas took part changes only how the terms of a sum are grouped, and that nothing where they have
 * units, else the rounding of its last bits. Lives in the engine thread.
 */
export class GrpcExpertDispatcher implements ExpertDispatcher {
  readonly #options: GrpcExpertDispatcherOptions;
  readonly #clock: Clock;
  readonly #links: WorkerLinks;
  readonly #router: CurrentRouter;
  readonly #probes: ReplicaProbes;
  readonly #failover: FailoverOptions;
  readonly #failovers = new FailoverCounts();
  readonly #lost: LostExperts;
  readonly #underWay: PartsUnderWay;
  readonly #standing: WorkerStanding;
  readonly #canary: CanaryRounds;

  constructor(options: GrpcExpertDispatcherOptions) {
    const { clock = systemClock, callTimeoutMs: timeoutMs, replacementWaitMs = 0 } = options;
    this.#options = options;
    this.#clock = clock;
    const { hedging = false, onWrongAnswer } = options;
    const onQuarantine: QuarantineListener = (workerId, because) => {
      if (because !== undefined) this.#canary.quarantineBegan();
      options.onQuarantine?.(workerId, because);
    };
    const standing = (this.#standing = new WorkerStanding({ clock, hedging, onQuarantine, onWrongAnswer }));
    const links = (this.#links = new WorkerLinks({ ...options, observer: standing }));
    const router = (this.#router = new CurrentRouter(clock));
    const parts = new WorkerPartCaller(links, options.storeId, clock);
    const probes = (this.#probes = new ReplicaProbes({ ...options, router, parts, links, standing }));
    const lost = (this.#lost = new LostExperts(clock, replacementWaitMs));
    const underWay = (this.#underWay = new PartsUnderWay(parts));
    this.#failover = { lost, parts: underWay, router, links, standing, counts: this.#failovers, clock, timeoutMs };
    const { canaryIntervalMs: intervalMs, storedReference } = options;
    const isBusy = (): boolean => !underWay.isEmpty;
    this.#canary = new CanaryRounds({
      router,
      probes,
      links,
      standing,
      clock,
      intervalMs,
      storedReference,
      isBusy,
    });
  }

  /**
   * Routes by this placement the layers that are dispatched from now on, and what must be sent again.
   *
   * @returns when the calls that were sent before have ended: then nobody here asks for a replica that the placement
   * lacks. Layers that wait for an expert do not count: they may wait for this very placement.
   */
  async setPlacement(placement: Placement): Promise<void> {
    const ended = this.#underWay.ended();
    this.#router.setPlacement(placement);
    await ended;
  }

  /** As CurrentRouter. */
  setWorkerCosts(costs: WorkerCosts): void {
    this.#router.setCosts(costs);
  }

  /** As LostExperts. */
  setIrreplaceable(workerIds: readonly string[]): void {
    this.#lost.setIrreplaceable(workerIds);
  }

  /** As WorkerLinks. */
  setWorkerUp(workerId: string, dataAddress: string): void {
    if (this.#links.setWorkerUp(workerId, dataAddress)) this.#canary.cameUp(workerId);
  }

  /** As WorkerLinks. */
  setWorkerDown(workerId: string, reason: string): void {
    this.#links.setWorkerDown(workerId, reason);
  }

  /** As WorkerLinks; its counts are dropped, too. */
  forgetWorker(workerId: string): void {
    this.#links.forgetWorker(workerId);
    this.#failovers.forget(workerId);
    this.#standing.forget(workerId);
    this.#canary.cameUp(workerId);
  }

  /** @throws ExpertmeshError `failed_precondition` before the first placement. */
  async dispatch(call: LayerCall, observe?: PartsObserver): Promise<LayerResult> {
    const router = this.#router.require();
    const { hiddenSize, wireDtype, maxMessageBytes = MAX_MESSAGE_BYTES } = this.#options;
    const startMs = this.#clock.nowMs();
    const rows = new TravellingRows(call, hiddenSize, wireDtype);
    const maxRows =
      call.sumUnits === undefined
        ? maxRowsPerMessage(hiddenSize, call.topK, wireDtype, maxMessageBytes)
        : maxExactRowsPerMessage(hiddenSize, call.topK, maxMessageBytes);
    const layer = new LayerFailover(call, rows, maxRows, this.#failover);
    const parts = layer.plan(router).sort(mostPairsFirst);
    observe?.(router.placement.workerIds, parts);
    const answers = parts.map((part) => layer.compute(part, router));
    const sentMs = this.#clock.nowMs();
    const outcomes = (await Promise.all(answers)).flat();
    const answeredMs = this.#clock.nowMs();
    const combined = combineParts(call.numRows, hiddenSize, outcomes.sort(inPlacementOrder));
    const times = dispatchTimes({ startMs, sentMs, answeredMs, endMs: this.#clock.nowMs() }, outcomes);
    const failures = new Map([...combined.failures, ...rows.unsendable]);
    return { sums: combined.sums, failures, times };
  }

  allExperts(): AllExperts | undefined {
    const { numerics, wireDtype } = this.#options;
    // What a layer in one call computes from is not rounded as for workers.
    if (numerics === 'invariant' && wireDtype !== 'fp32') return undefined;
    const isAllLocal = this.#router.placement?.workerIds.every((workerId) => workerId === LOCAL_MEMBER) ?? false;
    return isAllLocal ? this.#options.local?.allExperts : undefined;
  }

  /** As ReplicaProbes. */
  probe(layerIndex: number): Promise<void> {
    return this.#probes.probe(layerIndex);
  }

  /** As ReplicaProbes. */
  probeReplica(workerId: string, layerIndex: number, expertId: number): Promise<Float32Array> {
    return this.#probes.probeReplica(workerId, layerIndex, expertId);
  }

  stats(): DispatchStats {
    return {
      placementVersion: this.#router.placement?.version,
      workers: this.#links.stats(),
      failovers: this.#failovers.read(),
      wrongAnswers: this.#standing.wrongAnswers.read(),
      quarantined: this.#standing.quarantine.list(),
      hedges: this.#standing.hedges.read(),
    };
  }

  /** Ends the streams; what is in flight fails with `unavailable`. */
  close(): Promise<void> {
    this.#canary.close();
    this.#links.close();
    this.#router.endWaits();
    return Promise.resolve();
  }
}

// What takes longest is sent first; ties keep the order of the placement, and so do a worker's parts.
const mostPairsFirst = (a: DispatchPart, b: DispatchPart): number => b.expertIds.length - a.expertIds.length;
const inPlacementOrder = (a: PartOutcome, b: PartOutcome): number => a.part.workerIndex - b.part.workerIndex;
