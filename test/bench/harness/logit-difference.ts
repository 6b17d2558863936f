import { type BlockTable } from '@expertmesh/coordinator/kv/block-table';
import { type ForwardPass } from '@expertmesh/coordinator/engine/forward';
import { argmax } from '@expertmesh/coordinator/sampling/largest';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { loadDemoAnswers } from '@expertmesh/test-kit/demo-answers';

/** The recorded answers of transformers to the demo model's prompts, prompt and answer as one text. */
const texts = loadDemoAnswers().map(({ promptTokenIds, answerTokenIds }) => ({
  tokenIds: [...promptTokenIds, ...answerTokenIds],
  numLogits: answerTokenIds.length,
}));

/** Logits of every position that an answer's token was chosen at, fp32 [vocab] each. */
export async function logitsOfAnswers(
  forward: ForwardPass,
  spec: ModelSpec,
  createCache: () => BlockTable,
): Promise<Float32Array[]> {
  const logits: Float32Array[] = [];
  for (const text of texts) logits.push(...(await logitsOfText(forward, spec, createCache(), text)));
  return logits;
}

export interface LogitDifference {
  /** The part of the positions with the same most likely token. */
  readonly top1Agreement: number;
  /** Mean KL divergence in nats, from the expected distribution. */
  readonly meanKl: number;
}

async function logitsOfText(
  forward: ForwardPass,
  spec: ModelSpec,
  cache: BlockTable,
  { tokenIds, numLogits }: (typeof texts)[number],
): Promise<Float32Array[]> {
  // The last token's own logits choose the end token, which is not recorded: so one position earlier throughout.
  const chunk = { cache, tokenIds: tokenIds.slice(0, -1), numLogits };
  cache.reserve(chunk.tokenIds.length);
  const result = (await forward.run([chunk])).get(chunk);
  cache.release();
  if (result?.ok !== true) throw result?.error ?? new Error('the forward pass lost its chunk');
  return Array.from({ length: numLogits }, (_, row) =>
    result.logits.slice(row * spec.vocabSize, (row + 1) * spec.vocabSize),
  );
}

export function compareLogits(logits: readonly Float32Array[], expected: readonly Float32Array[]): LogitDifference {
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

export function describeDifference({ top1Agreement, meanKl }: LogitDifference): string {
  return `same most likely token ${(100 * top1Agreement).toFixed(2)} %, mean KL ${meanKl.toExponential(2)} nats`;
}
