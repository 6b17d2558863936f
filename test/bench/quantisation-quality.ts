/**
 * What 8-bit and 4-bit stores cost in accuracy on the demo model: every recorded answer of transformers (prompt and
 * answer as one text) is fed to each store, and each position's logits are compared with those of the 32-bit store.
 *
 *   npm run build && npx tsx test/bench/quantisation-quality.ts
 */
import { join } from 'node:path';
import { whyNotNative } from '@expertmesh/compute/compute-backend';
import { type BlockSize, type WeightBits } from '@expertmesh/shared/expert-store/quantisation';
import { compareLogits, describeDifference, logitsOfAnswers } from './harness/logit-difference.js';
import { closeStore, loadStore, modelWithLocalExperts, packedStore } from '../golden/model-under-test.js';

const MODEL_DIR = join(import.meta.dirname, '../../models/qwen3-moe-demo');
const STORES: readonly { readonly bits: WeightBits; readonly blockSize?: BlockSize }[] = [
  { bits: 16 },
  { bits: 8, blockSize: 32 },
  { bits: 4, blockSize: 32 },
];

const reference = await logitsOfStore(32);
console.log(`${String(reference.length)} positions, against the 32-bit store`);
for (const { bits, blockSize } of STORES) {
  const block = blockSize === undefined ? '' : `, blocks of ${String(blockSize)}`;
  const difference = compareLogits(await logitsOfStore(bits, blockSize), reference);
  console.log(`${String(bits)} bits${block}: ${describeDifference(difference)}`);
}

async function logitsOfStore(bits: WeightBits, blockSize?: BlockSize): Promise<Float32Array[]> {
  const store = await packedStore(MODEL_DIR, bits, blockSize);
  const loaded = await loadStore(store, whyNotNative(store.quantisation) === undefined ? 'native' : 'cpu');
  const model = await modelWithLocalExperts(loaded, () => undefined);
  try {
    return await logitsOfAnswers(model.forward, store.spec, loaded.createCache);
  } finally {
    await model.close();
    await closeStore(loaded);
  }
}
