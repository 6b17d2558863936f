import { isSameShards, shardsOf, toShards } from '@expertmesh/coordinator/control/placement/shards';
import { CALL_TIMEOUT_MS, type SimulatedCoordinator } from './simulated-coordinator.js';
import { type SimulatedCluster } from './simulated-cluster.js';
import { type Simulator } from './simulator.js';

/** Beyond the deadline of a call: what a thread that was busy gives the answer. */
const ANSWER_SLACK_MS = 1_000;

/**
 * Why a cluster in which everything works is not well yet: one leads, all follow one complete placement whose workers
 * hold exactly that, and every coordinator has all experts computed. undefined when it is.
 */
export async function whyNotLive(
  sim: Simulator,
  cluster: SimulatedCluster,
  check: () => void,
): Promise<string | undefined> {
  const [leader, ...others] = cluster.leaders;
  if (leader?.core === undefined || others.length > 0) return `${String(cluster.leaders.length)} coordinators lead`;
  const { inForce, routing } = leader.core.store;
  if (inForce === undefined || routing === undefined) return 'no placement is in force';
  if (inForce.change !== undefined || leader.leading?.changes.running !== undefined) return 'the placement changes';
  for (const { served, workerId, process } of cluster.workers)
    if (
      process.isRunning &&
      !isSameShards(
        toShards(served.map(({ layerIndex, expertIds }) => [layerIndex, expertIds])),
        shardsOf(routing, workerId),
      )
    )
      return `${workerId} does not hold what it should`;
  for (const { core, process } of cluster.coordinators)
    if (core?.routing.applied.version !== inForce.version) return `${process.id} does not follow what is in force`;
  return whyNotServed(sim, cluster, check);
}

async function whyNotServed(sim: Simulator, cluster: SimulatedCluster, check: () => void): Promise<string | undefined> {
  const served = new Map<SimulatedCoordinator, boolean>();
  for (const coordinator of cluster.coordinators)
    void cluster.servesAll(coordinator).then((isServed) => served.set(coordinator, isServed));
  for (const endMs = sim.nowMs + CALL_TIMEOUT_MS + ANSWER_SLACK_MS; served.size < cluster.coordinators.length;) {
    if (sim.nowMs >= endMs) return 'a layer call does not end';
    await sim.run(10, check);
  }
  for (const [{ process }, isServed] of served) if (!isServed) return `${process.id} is not served`;
  if (cluster.oldestCallMs > CALL_TIMEOUT_MS + ANSWER_SLACK_MS) return 'a layer call has not ended';
  return undefined;
}
