import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { layerDemand, type ExpertLoads, type LayerDemand } from '../expert-loads.js';
import { type PlanCluster } from '../plan-cluster.js';
import { type Placement } from '../placement.js';

/** [numExperts] the workers that hold each expert of one layer, as indices. */
export type LayerReplicas = readonly (readonly number[])[];

export interface PlanConstraints {
  /** Replicas per layer beyond the first of each expert (0). `survive` may need more, and then has them. */
  readonly redundantExperts?: number;
  /** Every expert is in at least this many failure domains more than one (0). */
  readonly survive?: number;
  /** What is in force now. Moves are counted from it, and cordoned workers keep what they have in it. */
  readonly previous?: Placement;
  /**
   * Seconds of step time that moving one byte is worth: 1 / (bytes loaded per second x steps until the next change).
   * With 0, the default, moves cost nothing.
   */
  readonly moveSecondsPerByte?: number;
}

/** A planning task with workers and failure domains as indices, checked for sense but not for room. */
export interface PlanningProblem {
  readonly numExperts: number;
  readonly numWorkers: number;
  readonly numDomains: number;
  /** Distinct failure domains that an expert must be in: survive + 1. */
  readonly minDomains: number;
  readonly layers: readonly LayerProblem[];
  readonly workers: readonly ProblemWorker[];
  readonly expertSizeBytes: number;
  readonly secondsPerRow: number;
  readonly moveSecondsPerByte: number;
}

export interface ProblemWorker {
  readonly workerId: string;
  readonly domain: number;
  readonly acceptsReplicas: boolean;
  /** Replicas of all layers together that it may hold. */
  readonly numSlots: number;
  readonly secondsPerActiveExpert: number;
  readonly secondsPerToken: number;
  /** Routed tokens per second, reading weights included, at the mix of the loads planned for. */
  readonly speed: number;
}

export interface LayerProblem {
  readonly layerIndex: number;
  /** [numExperts] as counted. */
  readonly tokens: ArrayLike<number>;
  readonly demand: LayerDemand;
  /** Replicas to place, pinned ones included. */
  readonly numReplicas: number;
  /** Holders before, as far as they are still workers. */
  readonly previous: LayerReplicas;
  /** What cordoned workers keep. */
  readonly pinned: LayerReplicas;
}

/** @throws ExpertmeshError `invalid_argument` for input that makes no sense. */
export function planningProblem(
  cluster: PlanCluster,
  loads: ExpertLoads,
  constraints: PlanConstraints,
): PlanningProblem {
  checkInput(cluster, loads, constraints);
  const { redundantExperts = 0, survive = 0, previous, moveSecondsPerByte = 0 } = constraints;
  const { numExperts } = loads;
  const numReplicas = Math.max(numExperts + redundantExperts, numExperts * (survive + 1));
  const layers = loads.layers.map((layer): LayerProblem => {
    const before = holdersBefore(previous, layer.layerIndex, cluster, numExperts);
    const pinned = before.map((holders) => holders.filter((w) => cluster.workers[w]?.state === 'cordoned'));
    const { layerIndex, tokens } = layer;
    return { layerIndex, tokens, demand: layerDemand(loads, layer), numReplicas, previous: before, pinned };
  });
  const domains = [...new Set(cluster.workers.map(({ failureDomain }) => failureDomain))];
  const workers = problemWorkers(cluster, layers, domains);
  return {
    numExperts,
    numWorkers: workers.length,
    numDomains: domains.length,
    minDomains: survive + 1,
    layers,
    workers,
    expertSizeBytes: cluster.expertSizeBytes,
    secondsPerRow: cluster.secondsPerRow,
    moveSecondsPerByte,
  };
}

function problemWorkers(
  cluster: PlanCluster,
  layers: readonly LayerProblem[],
  domains: readonly string[],
): ProblemWorker[] {
  const activePerToken = activeExpertsPerToken(layers);
  return cluster.workers.map((worker, w) => {
    const numPinned = layers.reduce((total, { pinned }) => total + pinned.filter((held) => held.includes(w)).length, 0);
    const { workerId, secondsPerActiveExpert, secondsPerToken } = worker;
    return {
      workerId,
      domain: domains.indexOf(worker.failureDomain),
      acceptsReplicas: worker.state === 'accepting',
      numSlots: slotsOf(worker, cluster.expertSizeBytes, numPinned),
      secondsPerActiveExpert,
      secondsPerToken,
      speed: 1 / (secondsPerActiveExpert * activePerToken + secondsPerToken),
    };
  });
}

// How many experts are read for each routed token, over all layers: 1 where each token is alone, less in batches.
function activeExpertsPerToken(layers: readonly LayerProblem[]): number {
  let [active, tokens] = [0, 0];
  for (const { demand } of layers) {
    active += demand.activeProbability.reduce((total, probability) => total + probability, 0);
    tokens += demand.tokensPerStep.reduce((total, count) => total + count, 0);
  }
  return tokens > 0 && active > 0 ? active / tokens : 1;
}

function holdersBefore(
  previous: Placement | undefined,
  layerIndex: number,
  cluster: PlanCluster,
  numExperts: number,
): LayerReplicas {
  const before = previous?.replicas.get(layerIndex);
  const indexOf = new Map(cluster.workers.map(({ workerId }, w) => [workerId, w]));
  return Array.from({ length: numExperts }, (_, expertId) =>
    (before?.[expertId] ?? []).flatMap((old) => indexOf.get(previous?.workerIds[old] ?? '') ?? []),
  );
}

function slotsOf(worker: PlanCluster['workers'][number], expertSizeBytes: number, numPinned: number): number {
  const room = Math.floor(worker.memoryBudgetBytes / expertSizeBytes);
  if (numPinned > room)
    throw invalid(
      `cordoned worker ${worker.workerId} keeps ${String(numPinned)} replicas and has room for ${String(room)}: ` +
        'drain it, or raise its memory budget',
    );
  return worker.state === 'accepting' ? room : numPinned;
}

function checkInput(cluster: PlanCluster, loads: ExpertLoads, constraints: PlanConstraints): void {
  checkCluster(cluster);
  checkLoads(loads);
  for (const name of ['redundantExperts', 'survive', 'moveSecondsPerByte'] as const) {
    const value = constraints[name] ?? 0;
    const isCount = name === 'moveSecondsPerByte' ? Number.isFinite(value) : Number.isInteger(value);
    if (!isCount || value < 0) throw invalid(`${name} is ${String(value)}; it must be 0 or more`);
  }
  const { previous } = constraints;
  if (previous !== undefined && previous.numExperts !== loads.numExperts)
    throw invalid(
      `the previous placement has ${String(previous.numExperts)} experts a layer, ` +
        `the loads ${String(loads.numExperts)}: plan for one model`,
    );
}

function checkCluster({ workers, expertSizeBytes, secondsPerRow }: PlanCluster): void {
  if (workers.length === 0) throw invalid('the cluster has no workers: add at least one');
  if (new Set(workers.map(({ workerId }) => workerId)).size < workers.length)
    throw invalid('two workers of the cluster have the same id: ids must be unique');
  if (!(expertSizeBytes > 0)) throw invalid(`expertSizeBytes is ${String(expertSizeBytes)}; it must be more than 0`);
  if (!(secondsPerRow >= 0)) throw invalid(`secondsPerRow is ${String(secondsPerRow)}; it must be 0 or more`);
  for (const worker of workers) {
    const { workerId, memoryBudgetBytes, secondsPerActiveExpert: perExpert, secondsPerToken: perToken } = worker;
    if (!(memoryBudgetBytes >= 0))
      throw invalid(
        `worker ${workerId} has a memory budget of ${String(memoryBudgetBytes)} bytes; 0 or more is possible`,
      );
    if (!(perExpert >= 0 && perToken >= 0 && perExpert + perToken > 0 && Number.isFinite(perExpert + perToken)))
      throw invalid(
        `worker ${workerId} takes ${String(perExpert)} s an active expert and ${String(perToken)} s a token; ` +
          'both must be 0 or more and one of them more than 0',
      );
  }
}

function checkLoads({ numExperts, topK, numSteps, layers }: ExpertLoads): void {
  if (!Number.isInteger(numExperts) || numExperts < 1) throw invalid(`numExperts is ${String(numExperts)}; at least 1`);
  if (!(topK >= 1 && topK <= numExperts))
    throw invalid(`topK is ${String(topK)}; it must be 1 to ${String(numExperts)}`);
  if (!(numSteps >= 1)) throw invalid(`the loads are of ${String(numSteps)} steps; at least 1 is needed`);
  if (new Set(layers.map(({ layerIndex }) => layerIndex)).size < layers.length)
    throw invalid('the loads have a layer twice');
  for (const { layerIndex, tokens, activeSteps, coactivations } of layers) {
    const checkCounts = (counts: ArrayLike<number> | undefined, length: number, name: string): void => {
      if (counts === undefined) return;
      const isCounts = counts.length === length && Array.from(counts).every((count) => count >= 0 && count < Infinity);
      if (!isCounts)
        throw invalid(
          `${name} of layer ${String(layerIndex)} must be ${String(length)} finite numbers of 0 or more; ` +
            `they are ${String(counts.length)}`,
        );
    };
    checkCounts(tokens, numExperts, 'tokens');
    checkCounts(activeSteps, numExperts, 'activeSteps');
    checkCounts(coactivations, numExperts ** 2, 'coactivations');
  }
}

const invalid = (message: string): ExpertmeshError => new ExpertmeshError('invalid_argument', message);
