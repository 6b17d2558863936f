import { type BenchContext, type BenchStore, type PromptMaker } from '../harness/bench-context.js';
import { statsBetween } from '../harness/bench-stats.js';
import { type OwnCluster } from '../harness/own-cluster.js';

const NUM_TOKENS = 32;
const FP16_BYTES = 2;
const BOTH_WAYS = 2;

/**
 * Bytes of a token and layer on the wire with fp16 rows, against the rows alone. One sequence with a prompt of one
 * token sends one row with every call, so the calls of a layer are the distinct workers that the token needs.
 */
export async function measureWire(
  { samples, reasons }: BenchContext,
  cluster: OwnCluster,
  { store }: BenchStore,
  prompts: PromptMaker,
  round: number,
): Promise<void> {
  const before = await cluster.stats();
  await cluster.generate(prompts.prompts(1, 1), NUM_TOKENS);
  const { numCalls, wireBytes } = statsBetween(before, await cluster.stats());
  if (numCalls === 0) {
    reasons.set(`${cluster.name}.wireBytes`, 'nothing was sent to a worker');
    return;
  }
  const numTokenLayers = NUM_TOKENS * store.spec.numLayers;
  const rowBytes = store.spec.hiddenSize * FP16_BYTES * BOTH_WAYS;
  samples.add(`${cluster.name}.distinctWorkers`, round, numCalls / numTokenLayers);
  samples.add(`${cluster.name}.wireBytes`, round, wireBytes / numTokenLayers);
  samples.add(`${cluster.name}.wireBytesIdeal`, round, (numCalls * rowBytes) / numTokenLayers);
}
