import { type WorkerAdmissions } from '@expertmesh/shared/cluster/placement-document';
import { type Placement, LOCAL_MEMBER } from '@expertmesh/shared/placement/placement';
import { type PlanCluster, type PlanWorker } from '@expertmesh/shared/placement/plan-cluster';
import { numReplicasIn, shardsOf } from '../placement/shards.js';
import { failureDomainOf, type KnownWorker } from '../workers/known-workers.js';
import { measuredCosts } from '../workers/measured-costs.js';

/** What a model's experts weigh. */
export interface ExpertSize {
  /** In the store's files: what a move reads. */
  readonly packedBytes: number;
  /** In memory, where a worker does not say. */
  readonly memoryBytes: number;
}

export interface ClusterFacts {
  readonly workers: readonly KnownWorker[];
  readonly admissions: WorkerAdmissions['workers'];
  /** What is in force, and what cordoned workers keep. */
  readonly previous: Placement | undefined;
  readonly expertSize: ExpertSize;
  readonly secondsPerRow: number;
  /** Workers that have died: they are planned to lose everything. */
  readonly dead?: ReadonlySet<string>;
  /** Layers with experts. */
  readonly numLayers: number;
  /** Whether memory is left free for what a change needs for a while beside what it leads to. */
  readonly withRoomToMove: boolean;
}

/** Sequential reads of memory, where nobody has measured any: two channels of DDR4. */
const DEFAULT_MEMORY_BYTES_PER_SECOND = 20e9;
/**
 * Computing one more token with weights that have been read, against reading them: what small batches on CPUs were
 * measured to take.
 */
const TOKEN_TO_EXPERT_COST = 0.1;
/**
 * While a layer changes, its old experts serve until the new ones are loaded, and others' old ones until nobody calls
 * them: so much memory as that many layers' share must be free.
 */
const LAYERS_OF_ROOM = 2;

/** What planning knows of the workers; none for one that never said anything and holds nothing. */
export function planCluster(facts: ClusterFacts): PlanCluster {
  const { workers, previous, expertSize, secondsPerRow } = facts;
  const correction = measuredOverEstimated(workers, expertSize);
  const measured = measuredCosts(workers);
  const speedOf = (worker: KnownWorker): Speed =>
    measured.get(worker.workerId) ?? speedByMemory(worker, expertSize, correction);
  const planned = workers.flatMap((worker) => planWorker(worker, facts, speedOf) ?? []);
  const local = previous?.workerIds.includes(LOCAL_MEMBER) === true ? [localWorker(previous, facts, correction)] : [];
  return { workers: [...local, ...planned], expertSizeBytes: expertSize.packedBytes, secondsPerRow };
}

// A worker that was never up has said nothing to plan with.
function planWorker(
  worker: KnownWorker,
  facts: ClusterFacts,
  speedOf: (worker: KnownWorker) => Speed,
): PlanWorker | undefined {
  const { stats, workerId } = worker;
  const { previous, expertSize, admissions, dead } = facts;
  const numHeld = previous === undefined ? 0 : numReplicasIn(shardsOf(previous, workerId));
  if (stats === undefined && numHeld === 0) return undefined;
  const memoryPerExpert = positive(stats?.capacity?.expertMemoryBytes) ?? expertSize.memoryBytes;
  const fitting = Math.floor((stats?.memoryBudgetBytes ?? 0) / memoryPerExpert);
  const numReplicas = facts.withRoomToMove ? leaveRoom(fitting, facts.numLayers) : fitting;
  const state = planState(worker, admissions[workerId], stats === undefined || dead?.has(workerId) === true);
  return {
    workerId,
    memoryBudgetBytes: (state === 'cordoned' ? Math.max(numHeld, numReplicas) : numReplicas) * expertSize.packedBytes,
    ...speedOf(worker),
    failureDomain: failureDomainOf(worker),
    state,
  };
}

const leaveRoom = (replicas: number, numLayers: number): number =>
  Math.floor((replicas * numLayers) / (numLayers + LAYERS_OF_ROOM));

// One that is away may come back with what it has, and can load nothing now.
function planState(
  { state }: KnownWorker,
  admission: ClusterFacts['admissions'][string] | undefined,
  isDead: boolean,
): PlanWorker['state'] {
  if (isDead) return 'draining';
  if (admission === undefined) return state === 'up' ? 'accepting' : 'cordoned';
  return admission === 'cordoned' ? 'cordoned' : 'draining';
}

// The coordinator's own experts were loaded with the model: they stay as they are.
function localWorker(previous: Placement, { expertSize }: ClusterFacts, correction: number): PlanWorker {
  return {
    workerId: LOCAL_MEMBER,
    memoryBudgetBytes: numReplicasIn(shardsOf(previous, LOCAL_MEMBER)) * expertSize.packedBytes,
    ...estimatedSpeed(expertSize.packedBytes / DEFAULT_MEMORY_BYTES_PER_SECOND, correction),
    failureDomain: LOCAL_MEMBER,
    state: 'cordoned',
  };
}

type Speed = Pick<PlanWorker, 'secondsPerActiveExpert' | 'secondsPerToken'>;

function speedByMemory({ stats }: KnownWorker, expertSize: ExpertSize, correction: number): Speed {
  const rate = positive(stats?.capacity?.memoryBytesPerSecond) ?? DEFAULT_MEMORY_BYTES_PER_SECOND;
  return estimatedSpeed(expertSize.packedBytes / rate, correction);
}

const estimatedSpeed = (secondsToRead: number, correction: number): Speed => ({
  secondsPerActiveExpert: secondsToRead * correction,
  secondsPerToken: secondsToRead * correction * TOKEN_TO_EXPERT_COST,
});

/**
 * How much slower than their memory workers have turned out to be (median): what those that have not computed yet are
 * taken to be, too.
 */
function measuredOverEstimated(workers: readonly KnownWorker[], { packedBytes }: ExpertSize): number {
  const ratios = workers.flatMap(({ stats }) => {
    const measured = positive(stats?.capacity?.secondsPerActiveExpert);
    const rate = positive(stats?.capacity?.memoryBytesPerSecond);
    return measured === undefined || rate === undefined ? [] : [(measured * rate) / packedBytes];
  });
  return ratios.sort((a, b) => a - b)[Math.floor(ratios.length / 2)] ?? 1;
}

const positive = (value: number | undefined): number | undefined =>
  value !== undefined && value > 0 ? value : undefined;
