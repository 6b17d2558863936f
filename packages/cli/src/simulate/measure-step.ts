import { z } from 'zod';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type MeasuredStep } from '@expertmesh/shared/simulate/calibration';
import { runBench } from '../bench/run-bench.js';

/** What is read of GET /admin/v1/stats. */
const statsSchema = z.object({
  engine: z.object({
    layerTimes: z.object({
      numLayers: z.number(),
      dense: z.number(),
      serialise: z.number(),
      wire: z.number(),
      wait: z.number(),
      compute: z.number(),
      combine: z.number(),
    }),
  }),
  cluster: z.object({ workers: z.array(z.unknown()) }),
});

type Stats = z.infer<typeof statsSchema>;

export interface MeasuredCluster {
  readonly step: MeasuredStep;
  readonly numWorkers: number;
}

const NUM_PROMPT_TOKENS = 16;
const NUM_OUTPUT_TOKENS = 160;
/** The second half is measured, when caches and estimates have settled. */
const NUM_ROUNDS = 2;
const STATS_DEADLINE_MS = 5_000;
const MICROSECONDS = 1e6;

/** Has a running cluster decode a batch, and takes the difference of its counters. Nobody else should use it meanwhile. */
export async function measureStep(url: string, batchSize: number, signal: AbortSignal): Promise<MeasuredCluster> {
  const load = {
    url,
    concurrencies: [batchSize],
    numPromptTokens: NUM_PROMPT_TOKENS,
    numOutputTokens: NUM_OUTPUT_TOKENS,
  };
  await runBench({ ...load, numRequests: batchSize, seed: 0, signal });
  const before = await readStats(url, signal);
  const [summary] = await runBench({ ...load, numRequests: NUM_ROUNDS * batchSize, seed: 1, signal });
  const after = await readStats(url, signal);
  const stepMs = summary?.interTokenMs?.p50;
  if (stepMs === undefined || summary?.errors.length !== 0)
    throw new ExpertmeshError('unavailable', `${url} did not answer every request of the calibration: is it ready?`);
  const numLayers = after.engine.layerTimes.numLayers - before.engine.layerTimes.numLayers;
  const perLayer = (stage: Exclude<keyof Stats['engine']['layerTimes'], 'numLayers'>): number =>
    (after.engine.layerTimes[stage] - before.engine.layerTimes[stage]) / numLayers / MICROSECONDS;
  return {
    numWorkers: after.cluster.workers.length,
    step: {
      dense: perLayer('dense'),
      compute: perLayer('compute'),
      overhead: perLayer('serialise') + perLayer('wire') + perLayer('wait') + perLayer('combine'),
      stepSeconds: stepMs / 1000,
    },
  };
}

async function readStats(url: string, signal: AbortSignal): Promise<Stats> {
  const address = `${url.replace(/\/$/, '')}/admin/v1/stats`;
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(STATS_DEADLINE_MS)]);
  const response = await fetch(address, { signal: deadline }).catch((cause: unknown) => {
    throw new ExpertmeshError('unavailable', `nothing answers at ${address}: is that the HTTP port of a coordinator?`, {
      cause,
    });
  });
  const parsed = statsSchema.safeParse(await response.json());
  if (parsed.success) return parsed.data;
  throw new ExpertmeshError('unavailable', `${address} has no times of layers: is the coordinator ready?`);
}
