import { LOCAL_MEMBER, type Placement } from '@expertmesh/shared/placement/placement';
import { type PlanCluster } from '@expertmesh/shared/placement/plan-cluster';
import { numReplicasIn, shardsOf } from '../placement/shards.js';

/**
 * Workers whose loss would leave experts without a replica, and those would not fit on the others: who waits for them
 * to be loaded elsewhere waits in vain.
 *
 * @param isUp whether a worker is there now; what others hold alone is lost, too
 */
export function irreplaceableWorkers(
  placement: Placement,
  cluster: PlanCluster,
  isUp: (workerId: string) => boolean,
): string[] {
  const isLost = placement.workerIds.map((workerId) => workerId !== LOCAL_MEMBER && !isUp(workerId));
  const room = roomOf(placement, cluster, isUp);
  const allRoom = [...room.values()].reduce((sum, numReplicas) => sum + numReplicas, 0);
  return placement.workerIds.filter((workerId, worker) => {
    if (workerId === LOCAL_MEMBER) return false;
    const numLost = numWithoutReplica(placement, (holder) => holder === worker || isLost[holder] === true);
    return numLost > allRoom - (room.get(workerId) ?? 0);
  });
}

/** How many more replicas each worker could load that takes any. */
function roomOf(
  placement: Placement,
  { workers, expertSizeBytes }: PlanCluster,
  isUp: (workerId: string) => boolean,
): ReadonlyMap<string, number> {
  const taking = workers.filter(({ workerId, state }) => state === 'accepting' && isUp(workerId));
  return new Map(
    taking.map(({ workerId, memoryBudgetBytes }) => {
      const fitting = Math.floor(memoryBudgetBytes / expertSizeBytes);
      return [workerId, Math.max(0, fitting - numReplicasIn(shardsOf(placement, workerId)))];
    }),
  );
}

function numWithoutReplica({ replicas }: Placement, isLost: (worker: number) => boolean): number {
  let numLost = 0;
  for (const layer of replicas.values()) for (const holders of layer) if (holders.every(isLost)) numLost += 1;
  return numLost;
}
