import { type Placement } from '@expertmesh/shared/placement/placement';
import { diffPlacements } from '@expertmesh/shared/placement/placement-diff';
import { toShards, type Shards } from '../placement/shards.js';

/** One layer's way from one placement to another. */
export interface LayerSwitch {
  readonly layerIndex: number;
  /**
   * Replicas that workers load before calls may use them, and that others give up when no call uses them any more; by
   * worker.
   */
  readonly gains: ReadonlyMap<string, readonly number[]>;
  readonly losses: ReadonlyMap<string, readonly number[]>;
}

/** The layers that differ, in order. */
export function layerSwitches(from: Placement, to: Placement): LayerSwitch[] {
  const byLayer = new Map<number, { gains: Map<string, readonly number[]>; losses: Map<string, readonly number[]> }>();
  for (const { workerId, layerIndex, load, drop } of diffPlacements(from, to, 1).moves) {
    const layer = byLayer.get(layerIndex) ?? { gains: new Map(), losses: new Map() };
    if (load.length > 0) layer.gains.set(workerId, load);
    if (drop.length > 0) layer.losses.set(workerId, drop);
    byLayer.set(layerIndex, layer);
  }
  return [...byLayer].sort(([a], [b]) => a - b).map(([layerIndex, layer]) => ({ layerIndex, ...layer }));
}

/** The same way back. */
export function reversed({ layerIndex, gains, losses }: LayerSwitch): LayerSwitch {
  return {
    layerIndex,
    gains: losses,
    losses: gains,
  };
}

export function numLoadsOf({ gains }: LayerSwitch): number {
  return [...gains.values()].reduce((total, expertIds) => total + expertIds.length, 0);
}

/**
 * The replicas that workers gain, or also those that they are to lose, as what each holds of the layer beside the
 * placement in force.
 */
export function replicasOf({ layerIndex, gains, losses }: LayerSwitch, which: 'gained' | 'all'): Map<string, Shards> {
  const workerIds = new Set([...gains.keys(), ...(which === 'all' ? losses.keys() : [])]);
  const lost = (workerId: string): readonly number[] => (which === 'all' ? (losses.get(workerId) ?? []) : []);
  return new Map(
    [...workerIds].map((workerId) => [
      workerId,
      toShards([[layerIndex, [...(gains.get(workerId) ?? []), ...lost(workerId)]]]),
    ]),
  );
}
