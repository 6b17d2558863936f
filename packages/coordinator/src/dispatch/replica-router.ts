import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { KEPT_PER_CALL } from '@expertmesh/shared/placement/replica-choice';
import { type LayerCall } from './expert-dispatcher.js';
import { type DispatchPart, groupPairs } from './route-plan.js';
import { routePairs } from './route-pairs.js';
import { costsOf, type WorkerCost, type WorkerCosts } from './worker-cost.js';

/** Whether a worker, as an index into the placement's workerIds, is not to compute an expert. */
export type IsExcluded = (workerIndex: number, expertId: number) => boolean;

/** The experts of one layer: their replicas, and what the workers had to do for them lately. */
interface RoutedLayer {
  readonly owners: readonly (readonly number[])[];
  readonly hasChoices: boolean;
  /** [workers] Decaying sum over the layer's calls. */
  readonly recentPairSeconds: Float64Array;
}

/** Decides by one placement who computes what. */
export class ReplicaRouter {
  readonly placement: Placement;
  #costs: readonly WorkerCost[];
  readonly #layers = new Map<number, RoutedLayer>();

  constructor(placement: Placement, costs: WorkerCosts = new Map()) {
    this.placement = placement;
    this.#costs = costsOf(placement.workerIds, costs);
  }

  /** Replicas are chosen by these from now on. */
  setCosts(costs: WorkerCosts): void {
    this.#costs = costsOf(this.placement.workerIds, costs);
  }

  /**
   * The workers that may compute an expert.
   *
   * @throws ExpertmeshError `internal` for a layer or an expert that the placement does not know.
   */
  replicasOf(layerIndex: number, expertId: number, isExcluded?: IsExcluded): readonly number[] {
    const replicas = this.#layer(layerIndex).owners[expertId];
    if (replicas === undefined || replicas.length === 0) throw this.#unknown(`expert ${String(expertId)}`);
    return isExcluded === undefined ? replicas : replicas.filter((worker) => !isExcluded(worker, expertId));
  }

  /**
   * What each worker is asked for. An expert all of whose replicas are excluded goes to one of them nevertheless.
   *
   * @param pairs positions in the call's expertIds, ascending; all where absent.
   * @throws ExpertmeshError as replicasOf.
   */
  plan(
    call: LayerCall,
    maxRowsPerPart: number,
    isExcluded?: IsExcluded,
    pairs: ArrayLike<number> = allPairs(call),
  ): DispatchPart[] {
    const { workerIds } = this.placement;
    return groupPairs(call, pairs, this.#route(call, pairs, isExcluded), workerIds.length, maxRowsPerPart);
  }

  #route(call: LayerCall, pairs: ArrayLike<number>, isExcluded: IsExcluded | undefined): ArrayLike<number> {
    const { hasChoices, recentPairSeconds } = this.#layer(call.layerIndex);
    const replicasOf = this.#memoized(call.layerIndex, isExcluded);
    if (!hasChoices) return Int32Array.from(pairs, (pair) => replicasOf(call.expertIds[pair] ?? -1)[0] ?? 0);
    const { numExperts } = this.placement;
    const task = { call, numExperts, pairs, replicasOf, costs: this.#costs, recentPairSeconds };
    const { workerOfPair, pairSeconds } = routePairs(task);
    for (const [worker, given] of pairSeconds.entries())
      recentPairSeconds[worker] = KEPT_PER_CALL * (recentPairSeconds[worker] ?? 0) + given;
    return workerOfPair;
  }

  #memoized(layerIndex: number, isExcluded: IsExcluded | undefined): (expertId: number) => readonly number[] {
    if (isExcluded === undefined) return (expertId) => this.replicasOf(layerIndex, expertId);
    const known = new Map<number, readonly number[]>();
    return (expertId) => {
      const before = known.get(expertId);
      if (before !== undefined) return before;
      const left = this.replicasOf(layerIndex, expertId, isExcluded);
      const replicas = left.length > 0 ? left : this.replicasOf(layerIndex, expertId);
      known.set(expertId, replicas);
      return replicas;
    };
  }

  #layer(layerIndex: number): RoutedLayer {
    const known = this.#layers.get(layerIndex);
    if (known !== undefined) return known;
    const owners = this.placement.replicas.get(layerIndex);
    if (owners === undefined) throw this.#unknown(`layer ${String(layerIndex)}`);
    const hasChoices = owners.some((replicas) => replicas.length > 1);
    const layer = { owners, hasChoices, recentPairSeconds: new Float64Array(this.placement.workerIds.length) };
    this.#layers.set(layerIndex, layer);
    return layer;
  }

  #unknown(what: string): ExpertmeshError {
    return new ExpertmeshError('internal', `placement ${String(this.placement.version)} has no worker for ${what}`);
  }
}

let countingUp = new Uint32Array(0);

/** 0, 1, 2 ... for each pair of the call; valid until the next one. */
function allPairs({ numRows, topK }: LayerCall): Uint32Array {
  const numPairs = numRows * topK;
  if (countingUp.length < numPairs) countingUp = Uint32Array.from({ length: 2 * numPairs }, (_, pair) => pair);
  return countingUp.subarray(0, numPairs);
}
