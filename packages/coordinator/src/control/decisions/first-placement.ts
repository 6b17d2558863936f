import { type Placement } from '@expertmesh/shared/placement/placement';
import { type Shards } from '../placement/shards.js';
import { type KnownWorker } from '../workers/known-workers.js';

export interface FirstPlacementFacts {
  readonly workers: readonly KnownWorker[];
  readonly layerIndices: readonly number[];
  readonly numExperts: number;
  readonly nextVersion: number;
  /** --min-workers, or all of a static list. */
  readonly minWorkers: number;
  readonly nowMs: number;
}

export type FirstPlacement =
  /** They hold every expert between them: what they hold is the placement. */
  | { readonly kind: 'take'; readonly placement: Placement }
  | { readonly kind: 'plan' }
  | { readonly kind: 'wait'; readonly because: string };

/**
 * Workers that are started together join within this time of each other; who joins later gets experts at the next
 * rebalancing.
 */
const JOIN_TOGETHER_MS = 2_000;

/** Decides what to do where nothing is in force and nobody remembers a placement. */
export function decideFirstPlacement(facts: FirstPlacementFacts): FirstPlacement {
  const { minWorkers, nowMs } = facts;
  const up = facts.workers.filter(({ state, stats }) => state === 'up' && stats !== undefined);
  const held = placementHeldBy(up, facts);
  if (held !== undefined) return { kind: 'take', placement: held };
  if (up.length < minWorkers)
    return {
      kind: 'wait',
      because: `waiting for workers: ${String(up.length)} of ${numbered(minWorkers)} up`,
    };
  const lastJoinedMs = Math.max(...up.map(({ stateSinceMs }) => stateSinceMs));
  if (nowMs - lastJoinedMs < JOIN_TOGETHER_MS)
    return { kind: 'wait', because: 'waiting for workers that may still join' };
  return { kind: 'plan' };
}

/** The placement that workers' reports amount to; undefined where an expert is with nobody. */
export function placementHeldBy(
  workers: readonly { readonly workerId: string; readonly holds: Shards }[],
  { layerIndices, numExperts, nextVersion }: Pick<FirstPlacementFacts, 'layerIndices' | 'numExperts' | 'nextVersion'>,
): Placement | undefined {
  const replicas = new Map(layerIndices.map((layerIndex) => [layerIndex, emptyLayer(numExperts)]));
  for (const [workerIndex, { holds }] of workers.entries())
    for (const { layerIndex, expertIds } of holds)
      for (const expertId of expertIds) replicas.get(layerIndex)?.[expertId]?.push(workerIndex);
  const isComplete = [...replicas.values()].every((layer) => layer.every((holders) => holders.length > 0));
  if (!isComplete) return undefined;
  return { version: nextVersion, numExperts, workerIds: workers.map(({ workerId }) => workerId), replicas };
}

const numbered = (count: number): string => `${String(count)} ${count === 1 ? 'is' : 'are'}`;

const emptyLayer = (numExperts: number): number[][] => Array.from({ length: numExperts }, () => []);
