import { balancedness } from '@expertmesh/shared/placement/balance-measures';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type PlacementLayer, type PlacementView } from '@expertmesh/shared/gen/expertmesh/v1/admin';

/** Workers that hold an expert, as indices into the placement's workers. */
export function holdersOf({ offsets, workerIndices }: PlacementLayer, expertId: number): number[] {
  return workerIndices.slice(offsets[expertId] ?? 0, offsets[expertId + 1] ?? 0);
}

export function toPlacement(view: PlacementView): Placement {
  const replicas = view.layers.map((layer) => {
    const ofExperts = Array.from({ length: view.numExperts }, (_, expertId) => holdersOf(layer, expertId));
    return [layer.layerIndex, ofExperts] as const;
  });
  return { version: view.version, numExperts: view.numExperts, workerIds: view.workerIds, replicas: new Map(replicas) };
}

export interface LayerLoad {
  readonly layerIndex: number;
  /** [workers] routed tokens, those of an expert shared equally by its replicas; all 0 where none were counted. */
  readonly workerTokens: readonly number[];
  readonly balancedness: number;
}

export function layerLoads({ layers, workerIds, numExperts }: PlacementView): LayerLoad[] {
  return layers.map((layer) => {
    const workerTokens = workerIds.map(() => 0);
    for (let expertId = 0; expertId < numExperts; expertId++) {
      const holders = holdersOf(layer, expertId);
      for (const worker of holders)
        workerTokens[worker] = (workerTokens[worker] ?? 0) + (layer.expertTokens[expertId] ?? 0) / holders.length;
    }
    return { layerIndex: layer.layerIndex, workerTokens, balancedness: balancedness(workerTokens) };
  });
}

/** [workers] replicas that each holds, over all layers. */
export function replicaCounts({ layers, workerIds }: PlacementView): number[] {
  const counts = workerIds.map(() => 0);
  for (const { workerIndices } of layers)
    for (const worker of workerIndices) counts[worker] = (counts[worker] ?? 0) + 1;
  return counts;
}
