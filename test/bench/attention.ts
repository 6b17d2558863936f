/**
 * How long one token's attention takes in a layer of Qwen3-30B-A3B, by context and dtype of the KV cache, against what
 * reading the cache would take at the speed of the memory: `npx tsx test/bench/attention.ts [threads]`. The rest of the
 * layer is made tiny and subtracted; layers take turns, so that no cache of the processor holds what is read.
 */
import { DenseLayer } from '@expertmesh/kernels/dense-layer';
import { type KernelPool } from '@expertmesh/kernels/kernel-pool';
import { loadKernels, whyNoKernels, type Kernels } from '@expertmesh/kernels/kernels';
import { blocksOf, kvBlockBytes, kvBytesPerToken } from '@expertmesh/kernels/kv-layout';
import { KvMemory } from '@expertmesh/coordinator/kv/kv-memory';
import { KV_DTYPES, type KvDtype } from '@expertmesh/shared/config/kv-dtype';
import { denseLayerLayout } from '@expertmesh/shared/expert-store/blob-layout';
import { denseLayerBlobPath } from '@expertmesh/shared/expert-store/blob-path';
import { PRESET_CONFIGS } from '@expertmesh/shared/expert-store/synth/presets';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { randomFloats, writeDummyBlob } from '@expertmesh/test-kit/dummy-blobs';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { summarise, type Summary } from './harness/statistics.js';

const NUM_LAYERS = 24;
const CONTEXTS = [1024, 2048, 4096, 8192, 16_384];
const ROUNDS = 5;
const QUANTISATION = { bits: 32 } as const;
const spec = parseModelSpec({
  ...PRESET_CONFIGS['qwen3-30b-a3b'],
  hidden_size: 32,
  num_hidden_layers: NUM_LAYERS,
  num_experts: 2,
  num_experts_per_tok: 1,
});
const numThreads = Number(process.argv[2] ?? 2);

const kernels = loadKernels();
if (kernels === undefined) {
  console.error(whyNoKernels());
  process.exitCode = 1;
} else {
  const pool = kernels.createPool({ numThreads });
  await report(kernels, pool);
  await pool.close();
}

async function report(available: Kernels, pool: KernelPool): Promise<void> {
  const bytesPerSecond = await pool.readBandwidth(2 ** 28);
  console.log(`${available.isas[0] ?? ''}, ${String(numThreads)} threads, memory ${gb(bytesPerSecond)} GB/s`);
  const layers = denseLayers(available);
  for (const dtype of KV_DTYPES) {
    const kv = filledMemory(available, dtype);
    const rest = await tokenMs(pool, layers, kv, 0);
    for (const context of CONTEXTS) {
      const { median, min } = await tokenMs(pool, layers, kv, context);
      const ms = min - rest.min;
      const bytes = (context * kvBytesPerToken(spec, dtype)) / NUM_LAYERS;
      const share = ((100 * bytes) / bytesPerSecond / ms) * 1000;
      console.log(
        `${dtype}, ${String(context)} tokens: ${ms.toFixed(3)} ms a layer (median ` +
          `${(median - rest.median).toFixed(3)}), ${gb((bytes / ms) * 1000)} GB/s ` +
          `(${share.toFixed(0)} % of the memory's)`,
      );
    }
  }
}

function gb(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}

function denseLayers(available: Kernels): DenseLayer[] {
  const storeDir = tempDir();
  return Array.from({ length: NUM_LAYERS }, (_, layerIndex) => {
    const layout = denseLayerLayout(spec, QUANTISATION, layerIndex);
    const path = denseLayerBlobPath(layerIndex);
    writeDummyBlob({ storeDir, path, layout, quantisation: QUANTISATION, seed: layerIndex + 1 });
    return new DenseLayer(available, { storeDir, spec, quantisation: QUANTISATION, layerIndex });
  });
}

/**
 * Room for the longest context, written so that the system has given the pages, with bytes that are ordinary numbers in
 * every dtype: subnormal ones are slower.
 */
function filledMemory(available: Kernels, dtype: KvDtype): KvMemory {
  const numBlocks = blocksOf(Math.max(...CONTEXTS) + 1);
  const budgetBytes = numBlocks * kvBlockBytes(spec, dtype);
  const kv = new KvMemory({ spec, dtype, budgetBytes, kernels: available });
  const bytes = new Uint8Array(kv.blockBytes).fill(0x3c);
  for (let id = 0; id < kv.numBlocks; id++) kv.writeBlock(id, bytes);
  return kv;
}

/** Milliseconds of a layer for one more token behind so many. */
async function tokenMs(
  pool: KernelPool,
  layers: readonly DenseLayer[],
  { pool: kv, numBlocks }: KvMemory,
  length: number,
): Promise<Summary> {
  if (kv === undefined) throw new Error('the KV memory was made without kernels');
  const blockIds = Int32Array.from({ length: numBlocks }, (_, id) => id);
  const call = {
    hidden: randomFloats(1, spec.hiddenSize),
    cos: new Float32Array(spec.headDim / 2).fill(1),
    sin: new Float32Array(spec.headDim / 2),
    kv,
    sequences: [{ numRows: 1, blockIds, length }],
    residual: new Float32Array(spec.hiddenSize),
    routed: {
      normed: new Float32Array(spec.hiddenSize),
      expertIds: new Int32Array(spec.topK),
      routingWeights: new Float32Array(spec.topK),
      probabilitySums: new Float32Array(spec.numExperts),
    },
  };
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++)
    for (const layer of layers) {
      const before = pool.stats().dense.seconds;
      await layer.run(pool, call);
      times.push((pool.stats().dense.seconds - before) * 1000);
    }
  const summary = summarise(times);
  if (summary === undefined) throw new Error('nothing was measured');
  return summary;
}
