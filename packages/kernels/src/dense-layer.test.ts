import { denseLayerLayout } from '@expertmesh/shared/expert-store/blob-layout';
import { denseLayerBlobPath } from '@expertmesh/shared/expert-store/blob-path';
import { openExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { packCheckpoint } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';
import { parseModelSpec, type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeKernels } from '@expertmesh/test-kit/describe-kernels';
import { randomFloats, writeDummyBlob } from '@expertmesh/test-kit/dummy-blobs';
import { OnnxDenseLayer, type OnnxDenseOutputs, type OnnxSequence } from '@expertmesh/test-kit/onnx-dense-layer';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { DenseLayer, type DenseCall, type StoredDenseLayer } from './dense-layer.js';
import { BLOCK_TOKENS, blocksOf, keyIndex, keysOffset, kvLayout, valuesOffset, type KvLayout } from './kv-layout.js';
import { KvPool, type SequenceRows } from './kv-pool.js';
import { type KernelIsa } from '@expertmesh/shared/config/kernel-isa';
import { loadKernels, whyNoKernels, type Kernels } from './kernels.js';

const DEMO_MODEL_DIR = new URL('../../../models/qwen3-moe-demo', import.meta.url).pathname;
const TINY_CONFIG = {
  model_type: 'qwen3_moe',
  hidden_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 8,
  num_key_value_heads: 2,
  head_dim: 20,
  attention_bias: true,
  num_experts: 60,
  num_experts_per_tok: 4,
  norm_topk_prob: true,
  moe_intermediate_size: 32,
  intermediate_size: 160,
  mlp_only_layers: [1],
  vocab_size: 10,
  max_position_embeddings: 512,
};

/** Of a sequence. */
const MAX_TOKENS = 160;

describeKernels('DenseLayer', loadKernels() ?? whyNoKernels(), (kernels) => {
  // Rounding activations to int8 can fall to either side, so that with quantised weights results differ by about 1e-3
  // of themselves.
  it.each([
    ['the demo model, 8 bits', () => demoLayer(8), 1e-2],
    ['the demo model, 4 bits', () => demoLayer(4), 1e-2],
    ['biases and an odd head size, 32 bits', () => tinyLayer({ bits: 32 }, 0, { head_dim: 20 }), 2e-5],
    ['biases, 8 bits', () => tinyLayer({ bits: 8, blockSize: 32 }, 0, { head_dim: 32 }), 1e-2],
    ['a layer without experts, 32 bits', () => tinyLayer({ bits: 32 }, 1, { head_dim: 20 }), 2e-5],
    ['a layer without experts, 4 bits', () => tinyLayer({ bits: 4, blockSize: 32 }, 1, { head_dim: 64 }), 2e-2],
    ['as many KV heads as heads', () => tinyLayer({ bits: 32 }, 0, { num_key_value_heads: 8 }), 2e-5],
    [
      'one KV head, weights as they come',
      () => tinyLayer({ bits: 32 }, 0, { num_key_value_heads: 1, norm_topk_prob: false }),
      2e-5,
    ],
  ] as const)(
    'computes what the ONNX graphs compute, in a batch of sequences that grow: %s',
    async (_, store, tolerance) => {
      const stored = await store();
      const onnx = await OnnxDenseLayer.load(stored.storeDir, stored.spec, stored.quantisation, stored.layerIndex);
      const layer = new DenseLayer(kernels, stored);
      for (const isa of kernels.isas) {
        const pool = kernels.createPool({ numThreads: 2, isa });
        const batch = new Batch(kernels, stored, 3);
        // Prompts in chunks, then tokens one by one, some sequences standing still.
        for (const [step, rowsOfSequences] of [
          [5, 0, 40],
          [1, 33, 17],
          [1, 1, 1],
          [0, 1, 1],
          [70, 1, 0],
        ].entries()) {
          const { call, twin } = batch.next(rowsOfSequences, step);
          await layer.run(pool, call);
          expectSame(isa, call, await onnx.run(call.hidden, call.cos, call.sin, twin), stored, tolerance);
          call.sequences.forEach((rows, i) => {
            const { keys, values } = batch.stored(rows, twin[i]?.capacity ?? 0);
            expect(largestDifference(keys, twin[i]?.keys), `${isa} keys`).toBeLessThan(tolerance);
            expect(largestDifference(values, twin[i]?.values), `${isa} values`).toBeLessThan(tolerance);
          });
        }
        await pool.close();
      }
      await onnx.release();
    },
  );

  it('gives the same bits with any number of threads', async () => {
    const stored = tinyLayer({ bits: 4, blockSize: 32 }, 0, { head_dim: 32 });
    const layer = new DenseLayer(kernels, stored);
    const results: Float32Array[] = [];
    for (const numThreads of [1, 2, 5]) {
      const pool = kernels.createPool({ numThreads });
      const { call } = new Batch(kernels, stored, 3).next([3, 50, 9], 1);
      await layer.run(pool, call);
      results.push(call.residual);
      await pool.close();
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it('refuses what does not fit', async () => {
    const stored = tinyLayer({ bits: 32 }, 0, {});
    const layer = new DenseLayer(kernels, stored);
    const pool = kernels.createPool({ numThreads: 1 });
    const { call } = new Batch(kernels, stored, 2).next([2, 3], 0);
    const [first, second] = call.sequences as [SequenceRows, SequenceRows];
    const { routed } = call;
    if (routed === undefined) throw new Error('the layer has no experts');
    const otherLayout = kvLayout({ ...stored.spec, numKvHeads: 1 }, 'fp32');
    const otherPool = new KvPool(kernels, otherLayout, [new Uint8Array(20 * otherLayout.blockBytes)]);
    const wrong: Partial<DenseCall>[] = [
      { hidden: call.hidden.subarray(1) },
      { cos: call.cos.subarray(2) },
      { sin: new Float32Array() },
      { residual: call.residual.subarray(1) },
      { sequences: [first] },
      { sequences: [first, second, second] },
      { sequences: [first, { ...second, length: 160 }] },
      { sequences: [first, { ...second, length: -1 }] },
      { sequences: [first, { ...second, numRows: 2.5 }] },
      { sequences: [first, { ...second, blockIds: new Int32Array() }] },
      { sequences: [first, { ...second, blockIds: first.blockIds }] },
      { sequences: [first, { ...second, blockIds: second.blockIds.map((id) => -id) }] },
      { sequences: [first, { ...second, blockIds: second.blockIds.map(() => 1_000) }] },
      { sequences: [first, { ...second, blockIds: new Float32Array(8) as unknown as Int32Array }] },
      { kv: otherPool },
      { routed: { ...routed, normed: new Float32Array(1) } },
      { routed: { ...routed, probabilitySums: new Float32Array(1) } },
    ];
    for (const part of wrong)
      await expect(layer.run(pool, { ...call, ...part })).rejects.toMatchObject({ code: 'invalid_argument' });
    await layer.run(pool, call);
    await pool.close();
  });
});

async function demoLayer(bits: 4 | 8): Promise<StoredDenseLayer> {
  const storeDir = join(tempDir(), 'store');
  await packCheckpoint({ hfDir: DEMO_MODEL_DIR, storeDir, bits, blockSize: 32 });
  const { spec, quantisation } = await openExpertStore(storeDir);
  return { storeDir, spec, quantisation, layerIndex: 1 };
}

function tinyLayer(quantisation: Quantisation, layerIndex: number, changes: object): StoredDenseLayer {
  const spec = parseModelSpec({ ...TINY_CONFIG, ...changes });
  const storeDir = tempDir();
  const layout = denseLayerLayout(spec, quantisation, layerIndex);
  writeDummyBlob({ storeDir, path: denseLayerBlobPath(layerIndex), layout, quantisation, seed: 7 });
  return { storeDir, spec, quantisation, layerIndex };
}

/** Some sequences with caches twice: in blocks for the kernels, and as arrays for ONNX Runtime. */
class Batch {
  readonly #spec: ModelSpec;
  readonly #layerIndex: number;
  readonly #layout: KvLayout;
  readonly #slab: Uint8Array;
  readonly #kv: KvPool;
  readonly #sequences: { ours: SequenceRows; twin: OnnxSequence }[];

  constructor(kernels: Kernels, { spec, layerIndex }: StoredDenseLayer, numSequences: number) {
    this.#spec = spec;
    this.#layerIndex = layerIndex;
    this.#layout = kvLayout(spec, 'fp32');
    const numBlocks = blocksOf(MAX_TOKENS);
    this.#slab = new Uint8Array(numSequences * numBlocks * this.#layout.blockBytes);
    this.#kv = new KvPool(kernels, this.#layout, [this.#slab]);
    this.#sequences = Array.from({ length: numSequences }, (_, index) => {
      const capacity = MAX_TOKENS + 3 * index;
      const blockIds = Int32Array.from({ length: numBlocks }, (_block, i) => i * numSequences + index);
      const array = (): Float32Array => new Float32Array(spec.numKvHeads * capacity * spec.headDim);
      return {
        ours: { numRows: 0, blockIds, length: 0 },
        twin: { numRows: 0, keys: array(), values: array(), capacity, length: 0 },
      };
    });
  }

  /** A call with that many random rows of each sequence, which then count as stored. */
  next(rowsOfSequences: readonly number[], seed: number): { call: DenseCall; twin: OnnxSequence[] } {
    const { hiddenSize, headDim, numExperts, topK } = this.#spec;
    const taken = this.#sequences.flatMap(({ ours, twin }, i) => {
      const numRows = rowsOfSequences[i] ?? 0;
      this.#sequences[i] = {
        ours: { ...ours, length: ours.length + numRows },
        twin: { ...twin, length: twin.length + numRows },
      };
      return numRows === 0 ? [] : [{ ours: { ...ours, numRows }, twin: { ...twin, numRows } }];
    });
    const numRows = rowsOfSequences.reduce((sum, rows) => sum + rows, 0);
    const angles = randomFloats(seed + 100, (numRows * headDim) / 2);
    const call: DenseCall = {
      hidden: randomFloats(seed + 1, numRows * hiddenSize),
      cos: angles.map((angle) => Math.cos(3 * angle)),
      sin: angles.map((angle) => Math.sin(3 * angle)),
      kv: this.#kv,
      sequences: taken.map(({ ours }) => ours),
      residual: new Float32Array(numRows * hiddenSize),
    };
    const routed = {
      normed: new Float32Array(numRows * hiddenSize),
      expertIds: new Int32Array(numRows * topK),
      routingWeights: new Float32Array(numRows * topK),
      probabilitySums: new Float32Array(numExperts).fill(NaN),
    };
    const isMoe = this.#spec.layerKinds[this.#layerIndex] === 'moe';
    return { call: isMoe ? { ...call, routed } : call, twin: taken.map(({ twin }) => twin) };
  }

  /** What blocks hold of a sequence, as its twin has it: fp32 [kv heads, capacity, head_dim]. */
  stored({ blockIds, numRows, length }: SequenceRows, capacity: number): Record<'keys' | 'values', Float32Array> {
    const { numKvHeads, headDim, blockBytes } = this.#layout;
    const all = new Float32Array(this.#slab.buffer);
    const [keys, values] = [0, 1].map(() => new Float32Array(numKvHeads * capacity * headDim)) as [
      Float32Array,
      Float32Array,
    ];
    for (let head = 0; head < numKvHeads; head++)
      for (let token = 0; token < length + numRows; token++) {
        const block = (blockIds[Math.floor(token / BLOCK_TOKENS)] ?? 0) * blockBytes;
        const start = (block + keysOffset(this.#layout, this.#layerIndex, head)) / 4;
        for (let dim = 0; dim < headDim; dim++) {
          const at = (head * capacity + token) * headDim + dim;
          const value = start + valuesOffset(this.#layout) / 4 + (token % BLOCK_TOKENS) * headDim + dim;
          keys[at] = all[start + keyIndex(this.#layout, token % BLOCK_TOKENS, dim)] ?? NaN;
          values[at] = all[value] ?? NaN;
        }
      }
    return { keys, values };
  }
}

function expectSame(
  isa: KernelIsa,
  { residual, routed }: DenseCall,
  expected: OnnxDenseOutputs,
  { spec }: StoredDenseLayer,
  tolerance: number,
): void {
  expect(largestDifference(residual, expected.residual), `${isa} residual`).toBeLessThan(tolerance);
  if (routed === undefined) return;
  expect(largestDifference(routed.normed, expected.normed), `${isa} normed`).toBeLessThan(tolerance);
  expect(largestDifference(routed.routingWeights, expected.routingWeights), `${isa} weights`).toBeLessThan(
    5 * tolerance,
  );
  expect(largestDifference(routed.probabilitySums, expected.probabilitySums), `${isa} sums`).toBeLessThan(
    5 * tolerance,
  );
  // Experts whose weights are alike may change places, or the last one its slot.
  const same = routed.expertIds.filter((id, i) => id === expected.expertIds?.[i]).length;
  expect(same / routed.expertIds.length, `${isa} experts`).toBeGreaterThan(tolerance < 1e-4 ? 0.99 : 0.9);
  expect(Math.max(...routed.expertIds)).toBeLessThan(spec.numExperts);
}

/** As a share of the largest expected value. */
function largestDifference(actual: Float32Array, expected: Float32Array | undefined): number {
  let largest = 0;
  let difference = 0;
  expected?.forEach((value, i) => {
    largest = Math.max(largest, Math.abs(value));
    difference = Math.max(difference, Math.abs((actual[i] ?? NaN) - value));
  });
  return difference / largest;
}
