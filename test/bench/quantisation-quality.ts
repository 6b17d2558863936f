/**
 * What 8-bit and 4-bit stores cost in accuracy on the demo model: every recorded answer of transformers (prompt and answer as
 * one text) is fed to each store, and each position's logits are compared with those of the 32-bit store.
 *
 *   npm run build && npx tsx test/bench/quantisation-quality.ts
 */
import { join } from 'node:path';
import { KvCache } from '@expertmesh/coordinator/dense/kv-cache';
import { type ForwardPass } from '@expertmesh/coordinator/engine/forward';
import { argmax } from '@expertmesh/coordinator/engine/sampler';
import { type BlockSize, type WeightBits } from '@expertmesh/shared/expert-store/quantisation';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { loadDemoAnswers } from '../golden/demo-answers.js';
import { loadDense, modelOverWorkers, packedStore } from '../golden/model-under-test.js';
import { startWorkers } from '../kit/worker-fleet.js';

const MODEL_DIR = join(import.meta.dirname, '../../models/qwen3-moe-demo');
const STORES: readonly { readonly bits: WeightBits; readonly blockSize?: BlockSize }[] = [
  { bits: 16 },
  { bits: 8, blockSize: 32 },
  { bits: 4, blockSize: 32 },
];

const texts = loadDemoAnswers().map(({ promptTokenIds, answerTokenIds }) => ({
  tokenIds: [...promptTokenIds, ...answerTokenIds],
  numLogits: answerTokenIds.length,
}));

const reference = await logitsOfTexts(32);
console.log(`${String(reference.length)} positions of ${String(texts.length)} answers, against the 32-bit store`);
for (const { bits, blockSize } of STORES) {
  const { top1Agreement, meanKl } = compare(await logitsOfTexts(bits, blockSize), reference);
  const block = blockSize === undefined ? '' : `, blocks of ${String(blockSize)}`;
  console.log(
    `${String(bits)} bits${block}: top-1 agreement ${(100 * top1Agreement).toFixed(2)} %, mean KL ${meanKl.toExponential(2)} nats`,
  );
}

/** Logits of every position that an answer's token was chosen at, fp32 [vocab] each. */
async function logitsOfTexts(bits: WeightBits, blockSize?: BlockSize): Promise<Float32Array[]> {
  const store = await packedStore(MODEL_DIR, bits, blockSize);
  const dense = await loadDense(store);
  const fleet = await startWorkers(store.dir, 1);
  const model = await modelOverWorkers(store, dense, fleet, 1, () => undefined);
  try {
    const logits: Float32Array[] = [];
    for (const text of texts) logits.push(...(await logitsOfText(model.forward, store.spec, text)));
    return logits;
  } finally {
    await model.close();
    await fleet.stop();
    await dense.close();
  }
}

async function logitsOfText(
  forward: ForwardPass,
  spec: ModelSpec,
  { tokenIds, numLogits }: (typeof texts)[number],
): Promise<Float32Array[]> {
  // The last token's own logits choose the end token, which is not recorded: so one position earlier throughout.
  const chunk = { cache: new KvCache(spec, tokenIds.length), tokenIds: tokenIds.slice(0, -1), numLogits };
  const result = (await forward.run([chunk])).get(chunk);
  if (result?.ok !== true) throw result?.error ?? new Error('the forward pass lost its chunk');
  return Array.from({ length: numLogits }, (_, row) =>
    result.logits.slice(row * spec.vocabSize, (row + 1) * spec.vocabSize),
  );
}

function compare(
  logits: readonly Float32Array[],
  expected: readonly Float32Array[],
): { top1Agreement: number; meanKl: number } {
  let numSame = 0;
  let sumKl = 0;
  for (const [position, row] of expected.entries()) {
    const other = logits[position] ?? new Float32Array();
    if (argmax(row) === argmax(other)) numSame += 1;
    sumKl += klDivergence(logSoftmax(row), logSoftmax(other));
  }
  return { top1Agreement: numSame / expected.length, meanKl: sumKl / expected.length };
}

/** KL(p || q) in nats, of log-probabilities. */
function klDivergence(logP: Float64Array, logQ: Float64Array): number {
  return logP.reduce((sum, p, i) => sum + Math.exp(p) * (p - (logQ[i] ?? NaN)), 0);
}

function logSoftmax(logits: Float32Array): Float64Array {
  const max = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const logSum = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - max), 0));
  return Float64Array.from(logits, (logit) => logit - max - logSum);
}
