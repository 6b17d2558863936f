import { z } from 'zod';

/** The stages of a layer, in the order in which a token passes them. */
export const LAYER_STAGES = ['dense', 'serialise', 'wire', 'wait', 'compute', 'combine'] as const;
export type LayerStage = (typeof LAYER_STAGES)[number];

const count = z.number().default(0);
const layerTimes = z.object({
  numLayers: count,
  dense: count,
  serialise: count,
  wire: count,
  wait: count,
  compute: count,
  combine: count,
});

const statsSchema = z.object({
  engine: z.object({
    numGenerationTokens: count,
    numDraftedTokens: count,
    numAcceptedTokens: count,
    layerTimes: layerTimes.optional(),
  }),
  cluster: z.object({
    dispatch: z
      .object({ workers: z.array(z.object({ numCalls: count, sentBytes: count, receivedBytes: count })) })
      .optional(),
  }),
});

/** As much of GET /admin/v1/stats as is measured with; a coordinator that lacks a counter gives 0. */
export interface BenchStats {
  readonly numDraftedTokens: number;
  readonly numAcceptedTokens: number;
  /** Calls to workers, and the bytes of their tensors in both directions. */
  readonly numCalls: number;
  readonly wireBytes: number;
  /** How often a batch went through a layer, and the microseconds of each stage. */
  readonly numLayers: number;
  readonly stageUs: Readonly<Record<LayerStage, number>>;
}

export function readBenchStats(json: unknown): BenchStats {
  const { engine, cluster } = statsSchema.parse(json);
  const times = engine.layerTimes ?? layerTimes.parse({});
  const workers = cluster.dispatch?.workers ?? [];
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return {
    numDraftedTokens: engine.numDraftedTokens,
    numAcceptedTokens: engine.numAcceptedTokens,
    numCalls: sum(workers.map(({ numCalls }) => numCalls)),
    wireBytes: sum(workers.map(({ sentBytes, receivedBytes }) => sentBytes + receivedBytes)),
    numLayers: times.numLayers,
    stageUs: eachStage((stage) => times[stage]),
  };
}

/** What happened between two readings. */
export function statsBetween(before: BenchStats, after: BenchStats): BenchStats {
  const difference = (key: 'numDraftedTokens' | 'numAcceptedTokens' | 'numCalls' | 'wireBytes' | 'numLayers'): number =>
    after[key] - before[key];
  return {
    numDraftedTokens: difference('numDraftedTokens'),
    numAcceptedTokens: difference('numAcceptedTokens'),
    numCalls: difference('numCalls'),
    wireBytes: difference('wireBytes'),
    numLayers: difference('numLayers'),
    stageUs: eachStage((stage) => after.stageUs[stage] - before.stageUs[stage]),
  };
}

const eachStage = (value: (stage: LayerStage) => number): Record<LayerStage, number> => ({
  dense: value('dense'),
  serialise: value('serialise'),
  wire: value('wire'),
  wait: value('wait'),
  compute: value('compute'),
  combine: value('combine'),
});
