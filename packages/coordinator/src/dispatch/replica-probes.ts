import { expertsOf } from '@expertmesh/shared/placement/placement';
import { type WireDtype } from '@expertmesh/shared/rpc/dispatch-message';
import { combineParts, type PartOutcome } from './combine.js';
import { type CurrentRouter } from './current-router.js';
import { type LayerCall } from './expert-dispatcher.js';
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
   * Sends every worker of the placement one row for one of its experts of the layer, except workers that are away and
   * can be spared.
   *
   * @throws ExpertmeshError of the first worker (in the placement's order) that did not answer with finite values.
   */
  async probe(layerIndex: number): Promise<void> {
    const router = this.#options.router.require();
    const { placement } = router;
    const isAway = (workerIndex: number): boolean =>
      !this.#options.links.isConnected(placement.workerIds[workerIndex] ?? '');
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
