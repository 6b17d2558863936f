import { expertsOf, type Placement } from './placement.js';

/** What has to be done to get from one placement to another. */
export interface PlacementDiff {
  /** By worker, then layer; only where something changes. */
  readonly moves: readonly WorkerMoves[];
  readonly numLoads: number;
  readonly numDrops: number;
  /** Bytes that workers read for the replicas that they load. */
  readonly bytesToMove: number;
}

export interface WorkerMoves {
  readonly workerId: string;
  readonly layerIndex: number;
  /** Experts of which the worker gets a replica, ascending. */
  readonly load: readonly number[];
  /** Experts of which it gives its replica up, ascending. */
  readonly drop: readonly number[];
}

/**
 * Workers are matched by id; one that only one of both placements has loads or drops everything.
 *
 * @param before undefined where nothing is placed yet
 */
export function diffPlacements(
  before: Placement | undefined,
  after: Placement,
  expertSizeBytes: number,
): PlacementDiff {
  const workerIds = [...new Set([...(before?.workerIds ?? []), ...after.workerIds])];
  const layerIndices = [...new Set([...(before?.replicas.keys() ?? []), ...after.replicas.keys()])];
  const moves = workerIds.flatMap((workerId) =>
    layerIndices.flatMap((layerIndex): WorkerMoves[] => {
      const had = heldBy(before, layerIndex, workerId);
      const has = heldBy(after, layerIndex, workerId);
      const load = has.filter((expertId) => !had.includes(expertId));
      const drop = had.filter((expertId) => !has.includes(expertId));
      return load.length + drop.length > 0 ? [{ workerId, layerIndex, load, drop }] : [];
    }),
  );
  const numLoads = moves.reduce((total, { load }) => total + load.length, 0);
  const numDrops = moves.reduce((total, { drop }) => total + drop.length, 0);
  return { moves, numLoads, numDrops, bytesToMove: numLoads * expertSizeBytes };
}

function heldBy(placement: Placement | undefined, layerIndex: number, workerId: string): number[] {
  const workerIndex = placement?.workerIds.indexOf(workerId) ?? -1;
  return placement === undefined || workerIndex < 0 ? [] : expertsOf(placement, layerIndex, workerIndex);
}
