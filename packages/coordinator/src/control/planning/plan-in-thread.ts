import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ExpertLoads } from '@expertmesh/shared/placement/expert-loads';
import { type PlanCluster } from '@expertmesh/shared/placement/plan-cluster';
import {
  type PlacementPlan,
  type PlacementPolicy,
  type PlanOptions,
} from '@expertmesh/shared/placement/plan-placement';
import { ThreadClient } from '@expertmesh/shared/threads/thread-client';
import { type ThreadContract } from '@expertmesh/shared/threads/thread-contract';

/** What planPlacement is called with. */
export interface PlanTask {
  readonly policy: PlacementPolicy;
  readonly cluster: PlanCluster;
  readonly loads: ExpertLoads;
  /** Without a clock, which cannot be sent to a thread. */
  readonly options: Omit<PlanOptions, 'nowMs'>;
}

export interface PlanContract extends ThreadContract {
  readonly data: undefined;
  readonly ready: undefined;
  readonly requests: { readonly plan: { readonly argument: PlanTask; readonly result: PlacementPlan } };
}

/** planPlacement in a thread of its own, which ends with the signal. Errors as planPlacement, and `cancelled` then. */
export async function planInThread(task: PlanTask, signal: AbortSignal): Promise<PlacementPlan> {
  if (signal.aborted) throw interrupted();
  const entry = new URL('./plan-thread.js', import.meta.url);
  const { thread } = await ThreadClient.start<PlanContract>({
    name: 'a planning thread',
    entry,
    data: undefined,
    on: {},
  });
  try {
    return await thread.requestOrEnd('plan', task, { interrupt: signal, cancelled: interrupted });
  } finally {
    await thread.terminate();
  }
}

const interrupted = (): ExpertmeshError => new ExpertmeshError('cancelled', 'planning was interrupted');
