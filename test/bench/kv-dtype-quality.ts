/**
 * What keys and values in fp16 and int8 cost in accuracy on the demo model: every recorded answer of transformers
 * (prompt and answer as one text) is fed to the 32-bit store, and each position's logits are compared with those over
 * an fp32 KV cache.
 *
 *   npm run build && npx tsx test/bench/kv-dtype-quality.ts
 */
import { join } from 'node:path';
import { whyNotNative } from '@expertmesh/compute/compute-backend';
import { type KvDtype } from '@expertmesh/shared/config/kv-dtype';
import { compareLogits, describeDifference, logitsOfAnswers } from './harness/logit-difference.js';
import { closeStore, loadStore, modelWithLocalExperts, packedStore } from '../golden/model-under-test.js';

const store = await packedStore(join(import.meta.dirname, '../../models/qwen3-moe-demo'), 32);
const provider = whyNotNative(store.quantisation) === undefined ? 'native' : 'cpu';
const reference = await logitsOver('fp32');
console.log(`${provider}, ${String(reference.length)} positions, against KV in fp32`);
for (const dtype of ['fp16', 'int8'] as const)
  console.log(`KV in ${dtype}: ${describeDifference(compareLogits(await logitsOver(dtype), reference))}`);

async function logitsOver(dtype: KvDtype): Promise<Float32Array[]> {
  const loaded = await loadStore(store, provider, { kvDtype: dtype });
  const model = await modelWithLocalExperts(loaded, () => undefined);
  try {
    return await logitsOfAnswers(model.forward, store.spec, loaded.createCache);
  } finally {
    await model.close();
    await closeStore(loaded);
  }
}
