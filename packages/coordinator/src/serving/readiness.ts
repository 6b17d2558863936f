import { LOCAL_MEMBER, type Placement } from '@expertmesh/shared/placement/placement';

/** What must be true before the model can generate. */
export interface ReadinessState {
  readonly engine: { readonly loaded: number; readonly total: number } | 'loaded';
  /** What calls are routed by, or why there is nothing yet. */
  readonly placement: Placement | { readonly because: string };
  readonly workers: ReadonlyMap<string, WorkerReadiness>;
  /** Workers whose data-plane connection is lost, and why. Noticed sooner than by membership's heartbeat. */
  readonly lostConnections: ReadonlyMap<string, string>;
  readonly canary: CanaryState;
}

export interface WorkerReadiness {
  readonly isUp: boolean;
  /** Completes "worker X ..." where it is away or lacks experts. */
  readonly because: string;
  /** Experts that it has loaded, by layer; nothing while it is away. */
  readonly holds: ReadonlyMap<number, ReadonlySet<number>>;
}

/**
 * What the last canary said, and whether another one is to be sent: owners of experts have come back since, or the
 * placement is another. A service that is ready stays so meanwhile; one whose experts were not all there needs a canary
 * that passes.
 */
export interface CanaryState {
  readonly result: 'none' | 'passed' | { readonly failedBecause: string };
  readonly isDue: boolean;
}

/** What keeps the model from generating, as a sentence for operators; undefined when nothing does. */
export function notReadyBecause(state: ReadinessState): string | undefined {
  const { engine, canary } = state;
  if (engine !== 'loaded')
    return `loading the dense weights (${String(engine.loaded)} of ${String(engine.total)} parts)`;
  const missing = missingExpert(state);
  if (missing !== undefined) return missing;
  if (canary.result === 'none') return 'waiting for the canary token';
  return canary.result === 'passed' ? undefined : `the canary token failed: ${canary.result.failedBecause}`;
}

/** Whether the canary is to be sent: everything is there, and nobody has tried it since. */
export function isCanaryDue(state: ReadinessState): boolean {
  return state.engine === 'loaded' && state.canary.isDue && missingExpert(state) === undefined;
}

/**
 * Why some expert cannot be computed: every worker that the placement gives it to is away or has not loaded it. A
 * worker that is away is no reason while others hold its experts.
 */
export function missingExpert(state: ReadinessState): string | undefined {
  const { placement } = state;
  if (!('replicas' in placement)) return placement.because;
  const holders = placement.workerIds.map((workerId) => holderOf(state, workerId));
  for (const [layerIndex, experts] of placement.replicas)
    for (const [expertId, owners] of experts.entries())
      if (!owners.some((owner) => holders[owner]?.has(layerIndex, expertId) === true))
        return owners.map((owner) => holders[owner]?.because).join(', ');
  return undefined;
}

interface Holder {
  has(layerIndex: number, expertId: number): boolean;
  readonly because: string;
}

function holderOf({ workers, lostConnections }: ReadinessState, workerId: string): Holder {
  if (workerId === LOCAL_MEMBER) return { has: () => true, because: '' };
  const worker = workers.get(workerId);
  const named = `worker ${workerId}`;
  if (worker === undefined) return { has: () => false, because: `${named} is not known yet` };
  const lostBecause = lostConnections.get(workerId);
  if (worker.isUp && lostBecause !== undefined)
    return { has: () => false, because: `${named} has lost its data connection: ${lostBecause}` };
  return {
    has: (layerIndex, expertId) => worker.holds.get(layerIndex)?.has(expertId) === true,
    because: `${named} ${worker.because}`,
  };
}
