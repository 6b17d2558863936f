import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { ExpertmeshError, fromErrorData, type ErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { type ExpertLoads } from '@expertmesh/shared/placement/expert-loads';
import { type PlanCluster } from '@expertmesh/shared/placement/plan-cluster';
import {
  type PlacementPlan,
  type PlacementPolicy,
  type PlanOptions,
} from '@expertmesh/shared/placement/plan-placement';

/** What planPlacement is called with. */
export interface PlanTask {
  readonly policy: PlacementPolicy;
  readonly cluster: PlanCluster;
  readonly loads: ExpertLoads;
  /** Without a clock, which cannot be sent to a thread. */
  readonly options: Omit<PlanOptions, 'nowMs'>;
}

export type PlanAnswer =
  { readonly kind: 'planned'; readonly plan: PlacementPlan } | { readonly kind: 'failed'; readonly error: ErrorData };

/** planPlacement in a thread of its own, which ends with the signal. Errors as planPlacement, and `cancelled` then. */
export async function planInThread(task: PlanTask, signal: AbortSignal): Promise<PlacementPlan> {
  const thread = new Worker(new URL('./plan-thread.js', import.meta.url), { workerData: task });
  try {
    const [answer] = (await once(thread, 'message', { signal })) as [PlanAnswer];
    if (answer.kind === 'failed') throw fromErrorData(answer.error);
    return answer.plan;
  } catch (thrown) {
    if (signal.aborted) throw new ExpertmeshError('cancelled', 'planning was interrupted', { cause: thrown });
    throw thrown;
  } finally {
    await thread.terminate();
  }
}
