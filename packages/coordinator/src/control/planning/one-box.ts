import { type ExpertLoads } from '@expertmesh/shared/placement/expert-loads';
import { type PlanCluster, type PlanWorker } from '@expertmesh/shared/placement/plan-cluster';
import { predictPlacement } from '@expertmesh/shared/placement/predict-placement';
import { planCluster, type ClusterFacts } from './plan-inputs.js';

/**
 * Says so when one of the boxes alone would be faster than the cluster: it has memory for all experts, and no wire lies
 * between where the coordinator runs on it, too.
 */
export function oneBoxRemark(
  cluster: PlanCluster,
  facts: Omit<ClusterFacts, 'withRoomToMove'>,
  loads: ExpertLoads,
  clusterStepSeconds: number,
): string | undefined {
  const numReplicas = loads.layers.length * loads.numExperts;
  const boxes = planCluster({ ...facts, withRoomToMove: false }).workers.filter(
    ({ workerId, memoryBudgetBytes }) =>
      memoryBudgetBytes >= numReplicas * cluster.expertSizeBytes &&
      cluster.workers.some((worker) => worker.workerId === workerId && worker.state === 'accepting'),
  );
  if (cluster.workers.length < 2 || boxes.length === 0) return undefined;
  const steps = boxes.map((box) => ({ box, seconds: alone(box, cluster, loads) }));
  const best = steps.reduce((fastest, step) => (step.seconds < fastest.seconds ? step : fastest));
  if (best.seconds >= clusterStepSeconds) return undefined;
  return (
    `one box would be faster: ${best.box.workerId} has memory for all experts and would take ${ms(best.seconds)} ` +
    'ms a step for them with ' +
    `the coordinator on it (--local-experts); these workers take ${ms(clusterStepSeconds)} ms`
  );
}

function alone(box: PlanWorker, cluster: PlanCluster, loads: ExpertLoads): number {
  const layer = Array.from({ length: loads.numExperts }, () => [0]);
  const replicas = new Map(loads.layers.map(({ layerIndex }) => [layerIndex, layer]));
  const placement = { version: 1, numExperts: loads.numExperts, workerIds: [box.workerId], replicas };
  return predictPlacement(placement, { ...cluster, workers: [box], secondsPerRow: 0 }, loads).stepSeconds;
}

const ms = (seconds: number): string => (seconds * 1000).toPrecision(2);
