import { ExpertmeshError } from '../errors/expertmesh-error.js';

/**
 * Which workers hold each expert of each layer. A value that never changes: another placement has another version.
 * Invariant: every expert of every MoE layer has at least one replica, and no worker holds two of the same expert.
 */
export interface Placement {
  readonly version: number;
  readonly numExperts: number;
  readonly workerIds: readonly string[];
  /**
   * replicas.get(layerIndex)[expertId] = indices into workerIds, ascending. Layers without experts have no entry.
   */
  readonly replicas: ReadonlyMap<number, readonly (readonly number[])[]>;
}

/**
 * The id that stands among the workers' for the coordinator itself, where it computes experts. No address reads like
 * it.
 */
export const LOCAL_MEMBER = 'local';

/**
 * Splits the experts of each layer into consecutive ranges, one per worker, whose sizes differ by at most one.
 *
 * @throws ExpertmeshError `invalid_argument` for no worker at all or for more workers than experts.
 */
export function contiguousPlacement(
  version: number,
  layerIndices: readonly number[],
  numExperts: number,
  workerIds: readonly string[],
): Placement {
  const numWorkers = workerIds.length;
  if (numWorkers < 1 || numWorkers > numExperts)
    throw new ExpertmeshError(
      'invalid_argument',
      `${String(numWorkers)} workers cannot share ${String(numExperts)} experts a layer: ` +
        `use 1 to ${String(numExperts)} workers`,
    );
  const owners = Array.from({ length: numExperts }, (_, expertId) => [
    Math.floor(((expertId + 1) * numWorkers - 1) / numExperts),
  ]);
  return { version, numExperts, workerIds, replicas: new Map(layerIndices.map((layerIndex) => [layerIndex, owners])) };
}

/** The experts of one layer that a worker holds, ascending. */
export function expertsOf(placement: Placement, layerIndex: number, workerIndex: number): number[] {
  const owners = placement.replicas.get(layerIndex) ?? [];
  return owners.flatMap((replicas, expertId) => (replicas.includes(workerIndex) ? [expertId] : []));
}
