import { parseCoordinatorConfig, type CoordinatorConfig } from '@expertmesh/shared/config/coordinator-config';
import { acceptAll, FAULTS, heal, planFaults, type Fault } from './fault-plan.js';
import { whyNotLive } from './liveness-rules.js';
import { NUM_REPLICAS, SimulatedCluster, type ClusterShape } from './simulated-cluster.js';
import { Simulator, Violation } from './simulator.js';

/** Until the first placement is there. */
const BOOT_MS = 3_300;
/** How long things go wrong. */
const [LEAST_FAULTS_MS, MOST_FAULTS_MS] = [2_000, 8_000];
/** For a cluster to get well again after everything works: longer than the longest pause between repairs. */
const RECOVERY_LIMIT_MS = 400_000;
const LOOK_INTERVAL_MS = 500;
const CALL_INTERVAL_MS = 600;
/** A call is late, and hedged, by how long many have taken: some clusters have so many. */
const [BUSY_SHARE, BUSY_CALL_INTERVAL_MS] = [0.1, 40];

const SLOW_HEARTBEAT_INTERVAL_MS = 1_000;

export interface SeedOptions {
  readonly faults?: readonly Fault[];
  readonly hasTranscript?: boolean;
}

export interface SeedResult {
  readonly seed: number;
  /** undefined where all rules held. */
  readonly violation: string | undefined;
  readonly simulatedMs: number;
  readonly numEvents: number;
  /** Rows of layer calls that were answered. */
  readonly numServed: number;
  /** As SimulatedCluster. */
  readonly numHedges: number;
  readonly transcript: readonly string[];
}

/** Runs one cluster through what the seed has in store for it. The same seed and options give the same result. */
export async function simulateSeed(
  seed: number,
  { faults = FAULTS, hasTranscript = false }: SeedOptions = {},
): Promise<SeedResult> {
  const sim = new Simulator(seed, hasTranscript);
  const cluster = new SimulatedCluster(sim, shapeOf(sim));
  let violation: string | undefined;
  try {
    await live(sim, cluster, faults);
  } catch (thrown) {
    if (!(thrown instanceof Violation)) throw thrown;
    violation = thrown.message;
  }
  const { nowMs: simulatedMs, numEvents, transcript = [] } = sim;
  const { numServed, numHedges } = cluster;
  return { seed, violation, simulatedMs, numEvents, numServed, numHedges, transcript };
}

async function live(sim: Simulator, cluster: SimulatedCluster, faults: readonly Fault[]): Promise<void> {
  const check = (): void => {
    cluster.rules.checkStep();
  };
  cluster.start();
  // Some clusters have no peace even to begin with.
  if (sim.chance(0.7)) await sim.run(BOOT_MS, check);
  const faultsMs = sim.between(LEAST_FAULTS_MS, MOST_FAULTS_MS);
  planFaults(sim, cluster, faultsMs, faults);
  await sim.run(faultsMs, check);
  heal(sim, cluster);
  let because: string | undefined = 'it has not been looked at';
  for (const endMs = sim.nowMs + RECOVERY_LIMIT_MS; because !== undefined;) {
    if (sim.nowMs >= endMs) {
      sim.violate('a cluster that was healed gets well again', because);
      await sim.run(1, check);
      throw new Violation(because);
    }
    acceptAll(cluster);
    await sim.run(LOOK_INTERVAL_MS, check);
    because = await whyNotLive(sim, cluster, check);
  }
}

const BASE_CONFIG: CoordinatorConfig = parseCoordinatorConfig(
  ['--store', '/simulated', '--nats-url', 'nats://simulated'],
  {},
);

function shapeOf(sim: Simulator): ClusterShape {
  const numWorkers = 2 + Math.floor(sim.between(0, 3));
  const survive = sim.chance(0.5) ? 1 : 0;
  const redundantExperts = survive === 1 || sim.chance(0.5) ? 4 : 0;
  const numReplicas = redundantExperts > 0 ? 2 * NUM_REPLICAS : NUM_REPLICAS;
  return {
    numCoordinators: 1 + Math.floor(sim.between(0, 3)),
    numWorkers,
    replicasPerWorker: Math.ceil((numReplicas / numWorkers) * sim.between(1.1, 2.5)),
    callIntervalMs: sim.chance(BUSY_SHARE) ? BUSY_CALL_INTERVAL_MS : CALL_INTERVAL_MS,
    config: {
      ...BASE_CONFIG,
      heartbeatIntervalMs: sim.chance(0.5) ? BASE_CONFIG.heartbeatIntervalMs : SLOW_HEARTBEAT_INTERVAL_MS,
      minWorkers: numWorkers,
      placementPolicy: 'balanced',
      survive,
      redundantExperts,
      repairAfterMs: 2_000,
    },
  };
}
