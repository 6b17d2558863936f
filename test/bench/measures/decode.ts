import { type BatchSize, type BenchContext, type PromptMaker } from '../harness/bench-context.js';
import { LAYER_STAGES, statsBetween, type BenchStats } from '../harness/bench-stats.js';
import { OwnCluster } from '../harness/own-cluster.js';
import { type Subject } from '../harness/subject.js';
import { tokensPerSecond } from '../harness/token-rate.js';

const NUM_TOKENS: Readonly<Record<BatchSize, number>> = { 1: 64, 4: 48, 16: 32 };
const NUM_TOKENS_QUICK: Readonly<Record<BatchSize, number>> = { 1: 32, 4: 24, 16: 16 };

/**
 * Decode throughput of sequences that run together, in tokens per second and per second of processor time. Prompts have
 * one token, so that every step is a decode step.
 */
export async function measureDecode(
  { samples, options }: BenchContext,
  subject: Subject,
  prompts: PromptMaker,
  batchSize: BatchSize,
  round: number,
): Promise<void> {
  const numTokens = (options.isQuick ? NUM_TOKENS_QUICK : NUM_TOKENS)[batchSize];
  const before = subject instanceof OwnCluster ? await subject.stats() : undefined;
  const secondsBefore = subject.processorSeconds();
  const arrivals = await subject.generate(prompts.prompts(batchSize, 1), numTokens);
  const seconds = subject.processorSeconds() - secondsBefore;
  samples.add(`${subject.name}.processor.decode.${String(batchSize)}`, round, (batchSize * numTokens) / seconds);
  samples.add(`${subject.name}.decode.${String(batchSize)}`, round, tokensPerSecond(arrivals));
  if (!(subject instanceof OwnCluster) || before === undefined) return;
  addLayerTimes(
    samples,
    `${subject.name}.layer.${String(batchSize)}`,
    statsBetween(before, await subject.stats()),
    round,
  );
}

/**
 * Mean milliseconds of each stage of a layer, and of all of them that are neither dense nor compute. Compute is the
 * time in which at least one worker computes, as dispatch-times.ts has it: workers that follow each other on too few
 * cores count one after another.
 */
function addLayerTimes(
  samples: BenchContext['samples'],
  name: string,
  { numLayers, stageUs }: BenchStats,
  round: number,
): void {
  if (numLayers === 0) return;
  for (const stage of LAYER_STAGES) samples.add(`${name}.${stage}`, round, stageUs[stage] / numLayers / 1000);
  const overheadUs = stageUs.serialise + stageUs.wire + stageUs.wait + stageUs.combine;
  samples.add(`${name}.overhead`, round, overheadUs / numLayers / 1000);
}
