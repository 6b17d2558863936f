/**
 * How near `simulate` comes to what local clusters of 1, 2 and 4 workers decode: each is measured, and predicted from
 * the geometry and the memory rate alone (rough), and from the layer times of the one with 2 workers (calibrated).
 *
 *   npm run build && npx tsx test/bench/simulate-accuracy.ts --batch 1
 *
 * --batch N        sequences that decode together (1)
 * --rounds N       measurements of each cluster before the calibration and after it, in turns (2)
 * --cache-dir DIR  where the store of dummy weights is kept, 4 GB (the system's directory for temporary files)
 */
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { uniformRoutes } from '@expertmesh/shared/simulate/route-source';
import { type CostScale } from '@expertmesh/shared/simulate/calibration';
import { simulateCluster, type SimulationOptions } from '@expertmesh/shared/simulate/simulate-cluster';
import { simulatedModel } from '@expertmesh/shared/simulate/simulated-model';
import { measuredScale } from 'expertmesh/simulate/measured-scale';
import { dummyStore, GEOMETRY_30B } from './harness/dummy-store.js';
import { OwnCluster } from './harness/own-cluster.js';
import { print } from './harness/print.js';
import { summarise } from './harness/statistics.js';
import { tokensPerSecond } from './harness/token-rate.js';
import { MachineLimits } from './limits/machine-limits.js';

const WORKER_COUNTS = [1, 2, 4];
const CALIBRATED_BY = 2;
/** Of each sequence. */
const NUM_TOKENS = 64;
const MIN_TOKENS = 32;
/** What a simulation leaves out is off. */
const FLAGS = ['--speculative', 'off', '--micro-batches', '1', '--wire-dtype', 'fp16', '--num-threads'];

const { values: flags } = parseArgs({
  options: {
    batch: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '2' },
    'cache-dir': { type: 'string', default: tmpdir() },
  },
});
const batchSize = Number(flags.batch);
const numCores = availableParallelism();
const { signal } = new AbortController();

const store = await dummyStore(flags['cache-dir'], GEOMETRY_30B);
const model = simulatedModel(store.spec, store.quantisation);
const limits = await MachineLimits.start(numCores);
const memoryBytesPerSecond = await limits.readBytesPerSecond(numCores);
limits.stop();
const options: SimulationOptions = {
  model,
  boxes: [{ boxId: 'box', memoryBytes: totalmem(), memoryBytesPerSecond, numCores }],
  network: { bytesPerSecond: 1.25e9, roundTripSeconds: 1e-4 },
  routes: uniformRoutes(model, batchSize),
  batchSize,
  rowBytes: 2 * model.hiddenSize,
  policy: 'contiguous',
  redundantExperts: 0,
  survive: 0,
};

const clusters = await startAll();
try {
  const measured = new Map<number, number[]>(WORKER_COUNTS.map((numWorkers) => [numWorkers, []]));
  const calibrating = clusters.get(CALIBRATED_BY);
  if (calibrating === undefined) throw new Error('no cluster to calibrate with');
  // Before and after the calibration: machines are not always equally fast.
  await measureInTurns(clusters, measured);
  const scale = await measuredScale(calibrating.url, options, signal);
  await measureInTurns(clusters, measured);
  print(
    `${GEOMETRY_30B.preset}, ${String(GEOMETRY_30B.numLayers)} layers, ` +
      `${flags.batch} at a time, ${String(numCores)} cores, ${(memoryBytesPerSecond / 1e9).toFixed(1)} GB/s`,
  );
  for (const [numWorkers, rates] of measured) report(numWorkers, rates, scale);
} finally {
  await Promise.all([...clusters.values()].map((cluster) => cluster.stop()));
}

/** Idle ones do not disturb the one that is measured: they map the same files. */
async function startAll(): Promise<Map<number, OwnCluster>> {
  const started = new Map<number, OwnCluster>();
  for (const numWorkers of WORKER_COUNTS) {
    const ownFlags = [...FLAGS, String(numCores), '--workers', String(numWorkers)];
    started.set(numWorkers, await OwnCluster.start({ name: String(numWorkers), storeDir: store.dir, flags: ownFlags }));
  }
  return started;
}

async function measureInTurns(
  all: ReadonlyMap<number, OwnCluster>,
  rates: ReadonlyMap<number, number[]>,
): Promise<void> {
  for (let round = 0; round <= Number(flags.rounds); round++)
    for (const [numWorkers, cluster] of all) {
      const prompts = Array.from({ length: batchSize }, (_, index) => [100 + 37 * index + 1009 * round]);
      const arrivals = await cluster.generate(prompts, Math.max(MIN_TOKENS, Math.round(NUM_TOKENS / batchSize)));
      // In the first round, weights and estimates are settling.
      if (round > 0) rates.get(numWorkers)?.push(tokensPerSecond(arrivals));
    }
}

function report(numWorkers: number, rates: readonly number[], scale: CostScale): void {
  const { median = NaN, min = NaN, max = NaN } = summarise(rates) ?? {};
  const predict = (by: Partial<SimulationOptions>): string => {
    const { step } = simulateCluster({ ...options, sameBoxWorkers: numWorkers, ...by });
    const error = 100 * (step.tokensPerSecond / median - 1);
    return `${step.tokensPerSecond.toFixed(1)} (${error >= 0 ? '+' : ''}${error.toFixed(0)} %)`;
  };
  print(
    `  ${String(numWorkers)} workers: measured ${median.toFixed(1)} tok/s (${min.toFixed(1)} to ${max.toFixed(1)}), ` +
      `rough ${predict({})}, calibrated ${predict({ scale })}`,
  );
}
