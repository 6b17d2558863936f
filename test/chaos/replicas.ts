import { expect } from 'vitest';
import { ApplyRequest, PlanRequest, WorkerAvailability } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { adminService } from '@expertmesh/shared/rpc/services';
import { eventually } from '@expertmesh/test-kit/eventually';
import {
  type ClusterCoordinator,
  type NatsCluster,
  replicasByWorker,
  replicasIn,
} from '@expertmesh/test-kit/nats-cluster';

const LOADED_WITHIN_MS = 30_000;

/** Waits until every worker that lives holds what the placement says, and the coordinator knows and reaches it. */
export async function expectAllReplicas(cluster: NatsCluster, coordinator: ClusterCoordinator): Promise<void> {
  await coordinator.ready();
  await eventually(async () => {
    const placed = replicasByWorker(await coordinator.placement());
    for (const [workerId, worker] of cluster.workers) {
      expect(worker.process.hasExited, workerId).toBe(false);
      expect(replicasIn(await worker.stats()).size, workerId).toBe(placed.get(workerId)?.size ?? 0);
      const view = await coordinator.workerView(workerId);
      expect(view.availability, workerId).toBe(WorkerAvailability.WORKER_AVAILABILITY_UP);
    }
  }, LOADED_WITHIN_MS);
}

/** Gives every worker that is up as many experts, each with one alone. */
export async function spreadEvenly(coordinator: ClusterCoordinator): Promise<void> {
  const asked = PlanRequest.create({ policy: 'contiguous', redundantExperts: 0, survive: 0 });
  const plan = await coordinator.call(adminService.planPlacement, asked);
  await coordinator.change(adminService.applyPlacement, ApplyRequest.create({ plan, actor: 'test' }));
}
