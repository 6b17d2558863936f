import { type PlacementInForce } from '@expertmesh/shared/cluster/placement-document';
import { type Placement } from '@expertmesh/shared/placement/placement';

/**
 * The placement that calls are routed by: while a change is under way, its layers come from both versions, and the
 * workers of both are there. Its version is that of `from`.
 */
export function mergePlacements(from: Placement, to: Placement, doneLayers: readonly number[]): Placement {
  const workerIds = [...new Set([...from.workerIds, ...to.workerIds])];
  const indexOf = new Map(workerIds.map((workerId, index) => [workerId, index]));
  const layerOf = (placement: Placement, layerIndex: number): readonly (readonly number[])[] =>
    (placement.replicas.get(layerIndex) ?? []).map((holders) =>
      holders.map((holder) => indexOf.get(placement.workerIds[holder] ?? '') ?? 0).sort((a, b) => a - b),
    );
  const replicas = new Map(
    [...from.replicas.keys()].map((layerIndex) => [
      layerIndex,
      layerOf(doneLayers.includes(layerIndex) ? to : from, layerIndex),
    ]),
  );
  return { version: from.version, numExperts: from.numExperts, workerIds, replicas };
}

/** undefined while a document that it needs is not known. */
export function routingPlacement(
  { version, change }: PlacementInForce,
  placementOf: (version: number) => Placement | undefined,
): Placement | undefined {
  const from = placementOf(version);
  if (from === undefined || change === undefined) return from;
  const to = placementOf(change.toVersion);
  if (to === undefined) return change.doneLayers.length === 0 ? from : undefined;
  return mergePlacements(from, to, change.doneLayers);
}

/** Which placement step calls follow: what a coordinator says that it has applied. */
export interface PlacementStep {
  readonly version: number;
  readonly numLayers: number;
}

export function stepOf({ version, change }: PlacementInForce): PlacementStep {
  return {
    version,
    numLayers: change?.doneLayers.length ?? 0,
  };
}

/** The same replicas without workers that have none and are to get none. */
export function withoutIdle(placement: Placement, mayGetSome: (workerId: string) => boolean): Placement {
  const holders = new Set([...placement.replicas.values()].flat(2));
  const kept = [...placement.workerIds.keys()].filter(
    (index) => holders.has(index) || mayGetSome(placement.workerIds[index] ?? ''),
  );
  if (kept.length === placement.workerIds.length) return placement;
  const workerIds = kept.map((index) => placement.workerIds[index] ?? '');
  const replicas = new Map(
    [...placement.replicas].map(([layerIndex, layer]) => [
      layerIndex,
      layer.map((held) => held.map((index) => kept.indexOf(index))),
    ]),
  );
  return { ...placement, workerIds, replicas };
}
