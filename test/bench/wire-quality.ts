/**
 * What the types of the rows on the wire cost in accuracy on the demo model, over 4 workers: as
 * quantisation-quality.ts, but the store has 32 bits throughout, and the rows travel as fp32, fp16 and int8.
 *
 *   npm run build && npx tsx test/bench/wire-quality.ts
 */
import { join } from 'node:path';
import { WIRE_DTYPES, type WireDtype } from '@expertmesh/shared/rpc/dispatch-message';
import { closeStore, loadStore, modelOverWorkers, packedStore } from '../golden/model-under-test.js';
import { startWorkers } from '@expertmesh/test-kit/worker-fleet';
import { compareLogits, describeDifference, logitsOfAnswers } from './harness/logit-difference.js';

const MODEL_DIR = join(import.meta.dirname, '../../models/qwen3-moe-demo');
const NUM_WORKERS = 4;

const store = await packedStore(MODEL_DIR, 32);
const loaded = await loadStore(store, 'cpu');
const fleet = await startWorkers(store.dir, NUM_WORKERS, ['--log-level', 'warn', '--ep', 'cpu']);
try {
  const reference = await logitsOver('fp32');
  console.log(`${String(reference.length)} positions, against rows of fp32`);
  for (const wireDtype of WIRE_DTYPES)
    console.log(`${wireDtype}: ${describeDifference(compareLogits(await logitsOver(wireDtype), reference))}`);
} finally {
  await fleet.stop();
  await closeStore(loaded);
}

async function logitsOver(wireDtype: WireDtype): Promise<Float32Array[]> {
  const model = await modelOverWorkers(loaded, fleet, NUM_WORKERS, () => undefined, wireDtype);
  try {
    return await logitsOfAnswers(model.forward, store.spec, loaded.createCache);
  } finally {
    await model.close();
  }
}
