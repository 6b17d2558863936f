/**
 * Placement planning on loads that are made up: how well EPLB and `balanced` do, and how long a large plan takes.
 *
 *   npm run build && npx tsx test/bench/placement.ts --matrices 500
 *
 * --matrices N  random load matrices for each comparison (500)
 */
import { parseArgs } from 'node:util';
import { type ExpertLoads } from '@expertmesh/shared/placement/expert-loads';
import { type PlanCluster } from '@expertmesh/shared/placement/plan-cluster';
import { seededRandom } from '@expertmesh/shared/random/seeded-random';
import { planPlacement, type PlacementPlan, type PlacementPolicy } from '@expertmesh/shared/placement/plan-placement';
import {
  balancednessOfEplb,
  equalWorkers,
  EXPERT_BYTES,
  integer,
  planCluster,
  planWorker,
  randomLoads,
} from '@expertmesh/test-kit/planning-cases';
import { print } from './harness/print.js';

const NUM_EXPERTS = 128;
const TOP_K = 8;
const ITERATIONS = { maxIterations: 20_000 };

const { values: flags } = parseArgs({ options: { matrices: { type: 'string', default: '500' } } });
const numMatrices = Number(flags.matrices);

for (const redundantExperts of [0, 8, 16]) compareOnEqualBoxes(redundantExperts);
compareOnUnevenBoxes();
compareMoves();
for (const redundantExperts of [0, 64]) timeLargePlan(redundantExperts);

/** One layer, 8 equal boxes whose memory is exactly what EPLB uses. */
function compareOnEqualBoxes(redundantExperts: number): void {
  const cluster = planCluster(equalWorkers(8, (NUM_EXPERTS + redundantExperts) / 8));
  const measured = { eplb: [] as number[], separated: [] as number[], balanced: [] as number[] };
  for (let seed = 1; seed <= numMatrices; seed++) {
    const loads = randomMatrix(seed);
    const plan = (policy: PlacementPolicy): number =>
      planPlacement(policy, cluster, loads, { redundantExperts, ...ITERATIONS }).prediction.balancedness.mean;
    measured.eplb.push(balancednessOfEplb(loads, redundantExperts, 8));
    measured.separated.push(plan('eplb'));
    measured.balanced.push(plan('balanced'));
  }
  const numBelow = measured.balanced.filter((ours, i) => ours < (measured.eplb[i] ?? 0) - 1e-6).length;
  print(`8 equal boxes, +${String(redundantExperts)} redundant, balancedness of ${String(numMatrices)} matrices`);
  print(`  deepseek-ai/EPLB           ${spread(measured.eplb)}`);
  print(`  eplb, replicas separated   ${spread(measured.separated)}`);
  print(`  balanced                   ${spread(measured.balanced)}, below EPLB in ${String(numBelow)}`);
}

/** 3 to 8 boxes, up to 4 times as fast and with up to twice the memory of others. */
function compareOnUnevenBoxes(): void {
  const faster = { freeWire: [] as number[], slowWire: [] as number[] };
  for (let seed = 1; seed <= numMatrices; seed++) {
    const random = seededRandom(seed);
    const numWorkers = integer(random, 3, 8);
    const workers = Array.from({ length: numWorkers }, (_, w) =>
      planWorker(`w${String(w)}`, Math.ceil((NUM_EXPERTS / numWorkers) * (1 + random())), 1 + 3 * random()),
    );
    for (const [name, secondsPerRow] of [
      ['freeWire', 0],
      ['slowWire', 1e-5],
    ] as const) {
      const seconds = (policy: PlacementPolicy): number =>
        planPlacement(policy, planCluster(workers, secondsPerRow), randomMatrix(seed), ITERATIONS).prediction
          .stepSeconds;
      faster[name].push(1 - seconds('balanced') / seconds('eplb'));
    }
  }
  print(`uneven boxes, predicted step time of balanced below that of eplb, ${String(numMatrices)} matrices`);
  print(`  experts alone              ${spread(faster.freeWire)}`);
  print(`  with 10 us a row           ${spread(faster.slowWire)}`);
}

/** Loads that change under a placement which was made for others. */
function compareMoves(): void {
  const shape = { numLayers: 12, numExperts: NUM_EXPERTS, topK: TOP_K, rowsPerStep: 32, skew: 0.8 };
  const cluster = planCluster(equalWorkers(4, 12 * 36));
  const previous = planPlacement('balanced', cluster, randomLoads(1, shape)).placement;
  print('12 layers on 4 equal boxes, loads replaced by others');
  for (const [policy, microsPerMove] of [
    ['eplb', 0],
    ['balanced', 0],
    ['balanced', 0.1],
    ['balanced', 1],
    ['balanced', 10],
  ] as const) {
    const options = { previous, moveSecondsPerByte: microsPerMove / 1e6 / EXPERT_BYTES };
    const { prediction, diff } = planPlacement(policy, cluster, randomLoads(2, shape), options);
    const name = `${policy}, ${String(microsPerMove)} us a move`;
    const step = `${(prediction.stepSeconds * 1e3).toFixed(2)} ms a step`;
    print(
      `  ${name.padEnd(26)} ${String(diff.numLoads)} moves, ` +
        `${step}, balancedness ${prediction.balancedness.mean.toFixed(3)}`,
    );
  }
}

/** The experts of Qwen3-235B-A22B on 64 boxes of five kinds. */
function timeLargePlan(redundantExperts: number): void {
  const shape = { numLayers: 94, numExperts: NUM_EXPERTS, topK: TOP_K, rowsPerStep: 32, skew: 0.8 };
  const kinds = [
    [1, 1.05],
    [1, 1.1],
    [2, 1.3],
    [3, 1.6],
    [5, 2],
  ] as const;
  const fairSlots = (94 * (NUM_EXPERTS + redundantExperts)) / 64;
  const cluster: PlanCluster = planCluster(
    Array.from({ length: 64 }, (_, w) => {
      const [speed, memory] = kinds[w % kinds.length] ?? kinds[0];
      return planWorker(`w${String(w)}`, Math.ceil(fairSlots * memory), speed);
    }),
    1e-5,
  );
  const loads = randomLoads(1, shape);
  print(`94 layers x ${String(NUM_EXPERTS)} experts, +${String(redundantExperts)} redundant, 64 uneven boxes`);
  for (const policy of ['eplb', 'balanced'] as const) {
    const startMs = performance.now();
    const { prediction }: PlacementPlan = planPlacement(policy, cluster, loads, { redundantExperts });
    const seconds = ((performance.now() - startMs) / 1e3).toFixed(1);
    const weighted = prediction.capacityWeightedBalancedness.mean.toFixed(3);
    const step = `${(prediction.stepSeconds * 1e3).toFixed(1)} ms a step`;
    print(`  ${policy.padEnd(26)} planned in ${seconds} s: ${step}, capacity-weighted balancedness ${weighted}`);
  }
}

function randomMatrix(seed: number): ExpertLoads {
  const skew = 0.3 + seededRandom(seed)();
  return randomLoads(seed, { numLayers: 1, numExperts: NUM_EXPERTS, topK: TOP_K, rowsPerStep: 16, skew });
}

function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number): string => (sorted[index] ?? 0).toFixed(4);
  return `median ${at(sorted.length >> 1)}, least ${at(0)}, most ${at(sorted.length - 1)}`;
}
