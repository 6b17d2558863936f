import { describe, expect, it } from 'vitest';
import {
  EXPERT_BYTES,
  integer,
  numPlanningCases,
  planCluster,
  planWorker,
  randomLoads,
} from '@expertmesh/test-kit/planning-cases';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type ExpertLoads } from './expert-loads.js';
import { type PlanCluster } from './plan-cluster.js';
import {
  PLACEMENT_POLICIES,
  planPlacement,
  type PlacementPlan,
  type PlacementPolicy,
  type PlanOptions,
} from './plan-placement.js';
import { type Placement } from './placement.js';
import { seededRandom } from '../random/seeded-random.js';

interface PlanCase {
  readonly cluster: PlanCluster;
  readonly loads: ExpertLoads;
  readonly options: PlanOptions;
}

const MAX_ITERATIONS = 100;
const TIMEOUT_MS = 60_000;

/**
 * A cluster that a placement exists for, because it is made around one: replicas are strewn over random workers, and
 * every worker's memory is what it got, often without a byte to spare.
 */
function feasibleCase(seed: number): PlanCase {
  const random = seededRandom(seed);
  const numDomains = integer(random, 1, 4);
  const numWorkers = integer(random, numDomains, 9);
  const domainOf = Array.from({ length: numWorkers }, (_, w) =>
    w < numDomains ? w : integer(random, 0, numDomains - 1),
  );
  const survive = integer(random, 0, numDomains - 1);
  const numExperts = integer(random, 2, 16);
  const numLayers = integer(random, 1, 4);
  const numReplicas = integer(random, numExperts * (survive + 1), numExperts * numWorkers);
  const slots = new Array<number>(numWorkers).fill(0);
  for (let layer = 0; layer < numLayers; layer++) strew(random, { domainOf, survive, numExperts, numReplicas }, slots);
  const spare = random() < 0.5 ? 0 : integer(random, 1, 5);
  const workers = slots.map((count, w) =>
    planWorker(`w${String(w)}`, count + spare, integer(random, 1, 5), `d${String(domainOf[w])}`),
  );
  const topK = integer(random, 1, Math.min(4, numExperts));
  const skew = random() * 1.5;
  return {
    cluster: planCluster(workers, random() < 0.5 ? 0 : 1e-5),
    loads: randomLoads(seed, { numLayers, numExperts, topK, rowsPerStep: integer(random, 1, 20), skew }),
    options: { survive, redundantExperts: numReplicas - numExperts, maxIterations: MAX_ITERATIONS, seed },
  };
}

interface Strewn {
  readonly domainOf: readonly number[];
  readonly survive: number;
  readonly numExperts: number;
  readonly numReplicas: number;
}

function strew(random: () => number, { domainOf, survive, numExperts, numReplicas }: Strewn, slots: number[]): void {
  const shuffled = (values: readonly number[]): number[] =>
    values
      .map((value) => ({ value, key: random() }))
      .sort((a, b) => a.key - b.key)
      .map(({ value }) => value);
  const workers = domainOf.map((_, w) => w);
  const holders = Array.from({ length: numExperts }, () => {
    const domains = shuffled([...new Set(domainOf)]).slice(0, survive + 1);
    return domains.map((domain) => shuffled(workers.filter((w) => domainOf[w] === domain))[0] ?? 0);
  });
  const places = shuffled(Array.from({ length: numExperts * workers.length }, (_, i) => i)).map(
    (i) => [Math.floor(i / workers.length), i % workers.length] as const,
  );
  let missing = numReplicas - numExperts * (survive + 1);
  for (const [e, w] of places)
    if (missing > 0 && holders[e]?.includes(w) === false) {
      holders[e].push(w);
      missing -= 1;
    }
  for (const w of holders.flat()) slots[w] = (slots[w] ?? 0) + 1;
}

/** What is wrong with a placement, in words. */
function faultsOf(placement: Placement, { cluster, loads, options }: PlanCase): string[] {
  const { survive = 0, redundantExperts = 0, previous } = options;
  const faults: string[] = [];
  const check = (holds: boolean, fault: string): void => {
    if (!holds) faults.push(fault);
  };
  const used = cluster.workers.map(() => 0);
  const numWanted = Math.max(loads.numExperts + redundantExperts, loads.numExperts * (survive + 1));
  check(placement.replicas.size === loads.layers.length, 'layers are missing');
  for (const { layerIndex } of loads.layers) {
    const experts = placement.replicas.get(layerIndex) ?? [];
    const numReplicas = experts.flat().length;
    check(experts.length === loads.numExperts, 'experts are missing');
    // What cordoned workers keep may be more than is asked for.
    check(numReplicas === numWanted || (previous !== undefined && numReplicas > numWanted), 'replicas are missing');
    for (const [expertId, holders] of experts.entries()) {
      const isAscending = holders.every((w, i) => i === 0 || w > (holders[i - 1] ?? w));
      check(isAscending, `expert ${String(expertId)} is twice on a worker`);
      const domains = new Set(holders.map((w) => cluster.workers[w]?.failureDomain));
      check(domains.size > survive, `expert ${String(expertId)} is in ${String(domains.size)} domains`);
      for (const w of holders) used[w] = (used[w] ?? 0) + 1;
    }
  }
  for (const [w, { memoryBudgetBytes, workerId }] of cluster.workers.entries())
    check((used[w] ?? 0) * cluster.expertSizeBytes <= memoryBudgetBytes, `${workerId} is over its budget`);
  return faults;
}

/** What cordoned workers gain or lose, and what draining ones keep. */
function cordonFaults({ diff, placement }: PlacementPlan, { cluster }: PlanCase): string[] {
  const stateOf = new Map(cluster.workers.map(({ workerId, state }) => [workerId, state]));
  const changed = diff.moves.filter(({ workerId }) => stateOf.get(workerId) === 'cordoned');
  const holders = new Set([...placement.replicas.values()].flat(2).map((w) => placement.workerIds[w] ?? ''));
  const kept = [...holders].filter((workerId) => stateOf.get(workerId) === 'draining');
  return [
    ...changed.map(({ workerId }) => `${workerId} is cordoned and changes`),
    ...kept.map((workerId) => `${workerId} is not drained`),
  ];
}

const seeds = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

const OTHER_STATES = ['cordoned', 'draining'] as const;

/** A cluster with a placement in force, of which some workers are then cordoned or drained. Memory is plenty. */
function cordonedCase(seed: number): PlanCase {
  const random = seededRandom(seed);
  const { cluster, loads, options } = feasibleCase(seed);
  const before = planPlacement('round-robin', cluster, loads, options).placement;
  const workers = cluster.workers.map((worker) => ({
    ...worker,
    memoryBudgetBytes: loads.numExperts * loads.layers.length * EXPERT_BYTES,
    state: OTHER_STATES[integer(random, 0, 4)] ?? ('accepting' as const),
  }));
  const redundantExperts = integer(random, 0, options.redundantExperts ?? 0);
  return {
    cluster: { ...cluster, workers },
    loads,
    options: {
      ...options,
      redundantExperts,
      previous: before,
      moveSecondsPerByte: random() < 0.5 ? 0 : 1e-12,
    },
  };
}

describe.each(PLACEMENT_POLICIES)('planPlacement with %s', (policy) => {
  it(
    'finds a placement within all constraints wherever there is one, down to the last byte',
    () => {
      for (const seed of seeds(1, numPlanningCases(1000))) {
        const planCase = feasibleCase(seed);
        const { placement } = planPlacement(policy, planCase.cluster, planCase.loads, planCase.options);
        expect(faultsOf(placement, planCase), `seed ${String(seed)}`).toEqual([]);
      }
    },
    TIMEOUT_MS,
  );

  it(
    'leaves cordoned workers as they are and draining ones empty, or says why it cannot',
    () => {
      let numPlanned = 0;
      const numCases = numPlanningCases(500);
      for (const seed of seeds(1, numCases)) {
        const planCase = cordonedCase(seed);
        const plan = planOrWhyNot(policy, planCase);
        if (plan === undefined) continue;
        expect(
          [...faultsOf(plan.placement, planCase), ...cordonFaults(plan, planCase)],
          `seed ${String(seed)}`,
        ).toEqual([]);
        numPlanned += 1;
      }
      expect(numPlanned).toBeGreaterThan(0.4 * numCases);
    },
    TIMEOUT_MS,
  );

  it('answers the same for the same input', () => {
    for (const seed of seeds(1, 20)) {
      const { cluster, loads, options } = feasibleCase(seed);
      const plan = planPlacement(policy, cluster, loads, options);
      expect(planPlacement(policy, cluster, loads, options)).toEqual(plan);
    }
  });
});

// With so much memory, only too few domains or workers can be in the way.
function planOrWhyNot(policy: PlacementPolicy, { cluster, loads, options }: PlanCase): PlacementPlan | undefined {
  try {
    return planPlacement(policy, cluster, loads, options);
  } catch (error) {
    expect(error).toBeInstanceOf(ExpertmeshError);
    expect(String(error)).toMatch(
      /failure domains, and the workers|no worker accepts replicas|none holds an expert twice/,
    );
    return undefined;
  }
}
