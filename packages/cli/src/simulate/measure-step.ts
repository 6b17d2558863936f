import { z } from 'zod';
import { environmentName } from '@expertmesh/shared/config/option';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { keyHeaders } from '@expertmesh/shared/rpc/client';
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

/** So that every step is a decode step. */
const NUM_PROMPT_TOKENS = 1;
const NUM_OUTPUT_TOKENS = 160;
const MIN_OUTPUT_TOKENS = 32;
/** The first round is not counted: caches fill and estimates settle. Of the others each figure is the median. */
const NUM_ROUNDS = 6;
const STATS_DEADLINE_MS = 5_000;
const MICROSECONDS = 1e6;

/**
 * Has a running cluster decode batches, and takes the differences of its counters. Nobody else should use it meanwhile.
 */
export async function measureStep(url: string, batchSize: number, signal: AbortSignal): Promise<MeasuredCluster> {
  const rounds: MeasuredStep[] = [];
  for (let round = 0; round < NUM_ROUNDS; round++) rounds.push(await measureRound(url, batchSize, round, signal));
  const counted = rounds.slice(1);
  const { cluster } = await readStats(url, signal);
  return {
    numWorkers: cluster.workers.length,
    step: {
      dense: medianOf(counted.map(({ dense }) => dense)),
      compute: medianOf(counted.map(({ compute }) => compute)),
      overhead: medianOf(counted.map(({ overhead }) => overhead)),
      stepSeconds: medianOf(counted.map(({ stepSeconds }) => stepSeconds)),
    },
  };
}

async function measureRound(url: string, batchSize: number, seed: number, signal: AbortSignal): Promise<MeasuredStep> {
  const numOutputTokens = Math.max(MIN_OUTPUT_TOKENS, Math.round(NUM_OUTPUT_TOKENS / batchSize));
  const before = await readStats(url, signal);
  const [summary] = await runBench({
    url,
    concurrencies: [batchSize],
    numRequests: batchSize,
    numPromptTokens: NUM_PROMPT_TOKENS,
    numOutputTokens,
    seed,
    signal,
  });
  const after = await readStats(url, signal);
  if (summary?.numDone !== batchSize)
    throw new ExpertmeshError('unavailable', `${url} did not answer every request of the calibration: is it ready?`);
  const [from, to] = [before.engine.layerTimes, after.engine.layerTimes];
  const perLayer = (stage: Exclude<keyof typeof to, 'numLayers'>): number =>
    (to[stage] - from[stage]) / (to.numLayers - from.numLayers) / MICROSECONDS;
  return {
    dense: perLayer('dense'),
    compute: perLayer('compute'),
    overhead: perLayer('serialise') + perLayer('wire') + perLayer('wait') + perLayer('combine'),
    // A mean, as the others are: what now and then takes longer is part of them all.
    stepSeconds: summary.durationSeconds / numOutputTokens,
  };
}

const medianOf = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

async function readStats(url: string, signal: AbortSignal): Promise<Stats> {
  const address = `${url.replace(/\/$/, '')}/admin/v1/stats`;
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(STATS_DEADLINE_MS)]);
  const headers = keyHeaders(process.env[environmentName('adminKey')]);
  const response = await fetch(address, { headers, signal: deadline }).catch((cause: unknown) => {
    throw new ExpertmeshError('unavailable', `nothing answers at ${address}: is that the HTTP port of a coordinator?`, {
      cause,
    });
  });
  const parsed = statsSchema.safeParse(await response.json());
  if (parsed.success) return parsed.data;
  throw new ExpertmeshError('unavailable', `${address} has no times of layers: is the coordinator ready?`);
}
