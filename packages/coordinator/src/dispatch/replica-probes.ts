import { expertsOf } from '@expertmesh/shared/placement/placement';
import { type WireDtype } from '@expertmesh/shared/rpc/dispatch-message';
import { combineParts, type PartOutcome } from './combine.js';
import { type CurrentRouter } from './current-router.js';
import { type LayerCall } from './expert-dispatcher.js';
import { failoverReason } from './failover.js';
import { type PartCaller, type RoutedBy, TravellingRows } from './part-caller.js';
import { type DispatchPart } from './route-plan.js';
import { type WorkerLinks } from './worker-links.js';

export interface ReplicaProbesOptions {
  readonly router: CurrentRouter;
  readonly parts: PartCaller;
  readonly links: Pick<WorkerLinks, 'isConnected'>;
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
   * Sends every worker of the placement one row for one of its experts of the layer. Workers that are away, or cannot
   * compute now as calls are routed past them for, can be spared where others have all that they have: one that was
   * started again is connected before it has loaded anything.
   *
   * @throws ExpertmeshError of the first worker (in the placement's order) that did not answer with finite values.
   */
  async probe(layerIndex: number): Promise<void> {
    const router = this.#options.router.require();
    const { placement } = router;
    const useless = new Set(
      [...placement.workerIds.keys()].filter((workerIndex) => this.#isAway(placement, workerIndex)),
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
      asked.map((workerIndex) => this.#probe(layerIndex, heldBy(workerIndex)[0] ?? -1, workerIndex, placement)),
    );
    const failed = outcomes.flatMap((outcome) => (outcome.kind === 'failed' ? [outcome] : []));
    for (const { part, error } of failed) if (failoverReason(error) !== undefined) useless.add(part.workerIndex);
    for (const { part, error } of failed)
      if (!useless.has(part.workerIndex) || !isSpared(part.workerIndex)) throw error;
  }

  #isAway({ workerIds }: RoutedBy, workerIndex: number): boolean {
    return !this.#options.links.isConnected(workerIds[workerIndex] ?? '');
  }

  /**
   * What a worker, in the placement or not yet, computes for a fixed row with weight 1: fp32 [hidden]. Two replicas of
   * an expert agree.
   *
   * @throws ExpertmeshError as its call, and `data_loss` for values that are not finite.
   */
  async probeReplica(workerId: string, layerIndex: number, expertId: number): Promise<Float32Array> {
    const version = this.#options.router.placement?.version ?? 0;
    const outcome = await this.#probe(layerIndex, expertId, 0, { version, workerIds: [workerId] }, 'fp32');
    if (outcome.kind === 'failed') throw outcome.error;
    const { sums } = combineParts(1, this.#options.hiddenSize, [outcome]);
    return sums;
  }

  #probe(
    layerIndex: number,
    expertId: number,
    workerIndex: number,
    placement: RoutedBy,
    rowDtype = this.#options.wireDtype,
  ): Promise<PartOutcome> {
    const { parts, hiddenSize, callTimeoutMs } = this.#options;
    const rows = new TravellingRows(probeCall(layerIndex, expertId, hiddenSize), hiddenSize, rowDtype);
    const part = probePart(workerIndex, expertId);
    return parts.call({ rows, part, placement, deadlineMs: callTimeoutMs });
  }
}

/** One fixed row for one expert: a call whose answer shows that a replica is there, and the same as another one. */
function probeCall(layerIndex: number, expertId: number, hiddenSize: number): LayerCall {
  return {
    layerIndex,
    numRows: 1,
    topK: 1,
    rows: Float32Array.from({ length: hiddenSize }, (_, column) => ((column % 7) - 3) / 4),
    expertIds: Int32Array.of(expertId),
    routingWeights: Float32Array.of(1),
  };
}

function probePart(workerIndex: number, expertId: number): DispatchPart {
  return {
    workerIndex,
    rowIndices: Uint32Array.of(0),
    rowOffsets: Uint32Array.of(0, 1),
    expertIds: Uint32Array.of(expertId),
    routingWeights: Float32Array.of(1),
  };
}
