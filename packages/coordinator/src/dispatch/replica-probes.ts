import { expertsOf } from '@expertmesh/shared/placement/placement';
import { type WireDtype } from '@expertmesh/shared/rpc/dispatch-message';
import { combineParts, type PartOutcome } from './combine.js';
import { type CurrentRouter } from './current-router.js';
import { type LayerCall } from './expert-dispatcher.js';
import { failoverReason, MAX_ASKED_AGAIN } from './failover.js';
import { type PartCaller, type RoutedBy, TravellingRows } from './part-caller.js';
import { type DispatchPart } from './route-plan.js';
import { type WorkerLinks } from './worker-links.js';
import { type WorkerStanding } from './worker-standing.js';
import { WrongAnswerError } from './wrong-answer-error.js';

export interface ReplicaProbesOptions {
  readonly router: CurrentRouter;
  readonly parts: PartCaller;
  readonly links: Pick<WorkerLinks, 'isConnected'>;
  readonly standing: Pick<WorkerStanding, 'quarantine'>;
  readonly hiddenSize: number;
  readonly wireDtype: WireDtype;
  readonly callTimeoutMs: number;
}

/** Asks replicas for one fixed row, and no other in their place: an answer shows that this very one computes. */
export class ReplicaProbes {
  readonly #options: ReplicaProbesOptions;

  constructor(options: ReplicaProbesOptions) {
    this.#options = options;
  }

  /**
   * Sends every worker of the placement one row for one of its experts of the layer. Workers that are away, in
   * quarantine, or cannot compute now as calls are routed past them for, can be spared where others have all that they
   * have: one that was started again is connected before it has loaded anything.
   *
   * @throws ExpertmeshError of the first worker (in the placement's order) that did not answer with finite values and
   * cannot be spared.
   */
  async probe(layerIndex: number): Promise<void> {
    const router = this.#options.router.require();
    const { placement } = router;
    const { links, standing } = this.#options;
    const useless = new Set(
      [...placement.workerIds.entries()].flatMap(([workerIndex, workerId]) =>
        links.isConnected(workerId) && !standing.quarantine.has(workerId) ? [] : [workerIndex],
      ),
    );
    const heldBy = (workerIndex: number): readonly number[] => expertsOf(placement, layerIndex, workerIndex);
    const isSpared = (workerIndex: number): boolean =>
      heldBy(workerIndex).every(
        (expertId) => router.replicasOf(layerIndex, expertId, (holder) => useless.has(holder)).length > 0,
      );
    const asked = [...placement.workerIds.keys()].filter(
      (workerIndex) => heldBy(workerIndex).length > 0 && !(useless.has(workerIndex) && isSpared(workerIndex)),
    );
    const outcomes = await Promise.all(
      asked.map((workerIndex) =>
        this.#probePatiently(layerIndex, heldBy(workerIndex)[0] ?? -1, workerIndex, placement),
      ),
    );
    const failed = outcomes.flatMap((outcome) => (outcome.kind === 'failed' ? [outcome] : []));
    for (const { part, error } of failed) if (failoverReason(error) !== undefined) useless.add(part.workerIndex);
    for (const { part, error } of failed)
      if (!useless.has(part.workerIndex) || !isSpared(part.workerIndex)) throw error;
  }

  /**
   * What a worker, in the placement or not yet, computes for a fixed row with weight 1: fp32 [hidden]. Two replicas of
   * an expert agree.
   *
   * @throws ExpertmeshError as its call, and WrongAnswerError for values that are not finite.
   */
  async probeReplica(workerId: string, layerIndex: number, expertId: number): Promise<Float32Array> {
    const [row = new Float32Array()] = await this.probeExperts(workerId, layerIndex, [expertId]);
    return row;
  }

  /** As probeReplica, of several experts in one call: a row for each. */
  async probeExperts(
    workerId: string,
    layerIndex: number,
    expertIds: readonly number[],
    deadlineMs = this.#options.callTimeoutMs,
  ): Promise<Float32Array[]> {
    const version = this.#options.router.placement?.version ?? 0;
    const placement = { version, workerIds: [workerId] };
    const outcome = await this.#send(probeCall(layerIndex, expertIds, this.#options.hiddenSize), 0, placement, {
      rowDtype: 'fp32',
      deadlineMs,
    });
    if (outcome.kind === 'failed') throw outcome.error;
    const { hiddenSize } = this.#options;
    const { sums } = combineParts(expertIds.length, hiddenSize, [outcome]);
    return expertIds.map((_, index) => sums.subarray(index * hiddenSize, (index + 1) * hiddenSize));
  }

  /** A wrong answer is asked for again: the wire may have damaged it. */
  async #probePatiently(
    layerIndex: number,
    expertId: number,
    workerIndex: number,
    placement: RoutedBy,
  ): Promise<PartOutcome> {
    const { hiddenSize, wireDtype: rowDtype, callTimeoutMs: deadlineMs } = this.#options;
    const call = probeCall(layerIndex, [expertId], hiddenSize);
    for (let numAskedAgain = 0; ; numAskedAgain++) {
      const outcome = await this.#send(call, workerIndex, placement, { rowDtype, deadlineMs });
      const isWrong = outcome.kind === 'failed' && outcome.error instanceof WrongAnswerError;
      if (!isWrong || numAskedAgain === MAX_ASKED_AGAIN.alone) return outcome;
    }
  }

  #send(call: LayerCall, workerIndex: number, placement: RoutedBy, how: HowToSend): Promise<PartOutcome> {
    const { parts, hiddenSize } = this.#options;
    const rows = new TravellingRows(call, hiddenSize, how.rowDtype);
    return parts.call({ rows, part: probePart(workerIndex, call), placement, deadlineMs: how.deadlineMs });
  }
}

interface HowToSend {
  readonly rowDtype: WireDtype;
  readonly deadlineMs: number;
}

/** The same fixed row for every expert: a call whose answer shows that a replica is there, and the same as another. */
export function probeCall(layerIndex: number, expertIds: readonly number[], hiddenSize: number): LayerCall {
  return {
    layerIndex,
    numRows: expertIds.length,
    topK: 1,
    rows: Float32Array.from(
      { length: expertIds.length * hiddenSize },
      (_, index) => (((index % hiddenSize) % 7) - 3) / 4,
    ),
    expertIds: Int32Array.from(expertIds),
    routingWeights: new Float32Array(expertIds.length).fill(1),
  };
}

function probePart(workerIndex: number, { numRows, expertIds, routingWeights }: LayerCall): DispatchPart {
  return {
    workerIndex,
    rowIndices: Uint32Array.from({ length: numRows }, (_, row) => row),
    rowOffsets: Uint32Array.from({ length: numRows + 1 }, (_, row) => row),
    expertIds: Uint32Array.from(expertIds),
    routingWeights,
  };
}
