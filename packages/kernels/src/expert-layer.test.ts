import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expertLayout } from '@expertmesh/shared/expert-store/blob-layout';
import { expertBlobPath } from '@expertmesh/shared/expert-store/blob-path';
import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { buildExpertShardGraph } from '@expertmesh/shared/onnx/expert-graph';
import { createOnnxSession } from '@expertmesh/shared/onnx/session';
import { expect, it } from 'vitest';
import { describeKernels } from '@expertmesh/test-kit/describe-kernels';
import { randomFloats, randomNumbers, writeDummyBlob } from '@expertmesh/test-kit/dummy-blobs';
import { plainMatrix, plainProduct, roundedActivations } from '@expertmesh/test-kit/reference-linear';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { ExpertLayer, type ExpertCall } from './expert-layer.js';
import { loadKernels, whyNoKernels, type Kernels } from './kernels.js';

const HIDDEN = 256;
const INTERMEDIATE = 128;
const EXPERT_IDS = [1, 2, 5, 6, 7];
const spec = parseModelSpec({
  model_type: 'qwen3_moe',
  hidden_size: HIDDEN,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  num_experts: 8,
  num_experts_per_tok: 2,
  moe_intermediate_size: INTERMEDIATE,
  intermediate_size: 32,
  vocab_size: 10,
  max_position_embeddings: 64,
});
const QUANTISATIONS: Quantisation[] = [
  { bits: 4, blockSize: 32 },
  { bits: 4, blockSize: 64 },
  { bits: 4, blockSize: 128 },
  { bits: 8, blockSize: 32 },
  { bits: 8, blockSize: 64 },
  { bits: 8, blockSize: 128 },
  { bits: 32 },
];

describeKernels('ExpertLayer', loadKernels() ?? whyNoKernels(), (kernels) => {
  it.each(QUANTISATIONS)(
    'sums the weighted experts of every row, on every instruction set: %o',
    async (quantisation) => {
      const stored = dummyExperts(quantisation);
      const layer = new ExpertLayer(kernels, stored);
      for (const numRows of [1, 2, 9, 40]) {
        const call = randomCall(numRows, 3 * numRows);
        const expected = plainExperts(stored, call);
        for (const isa of kernels.isas) {
          await runOn(kernels, { numThreads: 2, isa }, layer, call);
          // A value at the edge of a rounding step may fall to either side: then the result moves by about 1e-3 of
          // itself.
          expect(largestDifference(call.out, expected), isa).toBeLessThan(quantisation.bits === 32 ? 1e-5 : 3e-3);
        }
      }
    },
  );

  it.each(QUANTISATIONS)('agrees with ONNX Runtime: %o', async (quantisation) => {
    const stored = dummyExperts(quantisation);
    const layer = new ExpertLayer(kernels, stored);
    const call = randomCall(24, 60);
    await runOn(kernels, { numThreads: 2 }, layer, call);
    expect(largestDifference(call.out, await onnxExperts(stored, call))).toBeLessThan(
      quantisation.bits === 32 ? 1e-5 : 5e-3,
    );
  });

  it('gives the same bits with any number of threads', async () => {
    const layer = new ExpertLayer(kernels, dummyExperts({ bits: 4, blockSize: 32 }));
    for (const numRows of [1, 3, 30]) {
      const call = randomCall(numRows, 4 * numRows);
      await runOn(kernels, { numThreads: 1 }, layer, call);
      const alone = call.out.slice();
      for (const numThreads of [2, 3, 8]) {
        await runOn(kernels, { numThreads }, layer, call);
        expect(call.out).toEqual(alone);
      }
    }
  });

  it('gives zeros to rows without pairs, and keeps nothing of what was there', async () => {
    const layer = new ExpertLayer(kernels, dummyExperts({ bits: 8, blockSize: 32 }));
    const call = randomCall(4, 0);
    call.out.fill(7);
    await runOn(kernels, { numThreads: 2 }, layer, call);
    expect(call.out).toEqual(new Float32Array(4 * HIDDEN));
  });

  it('refuses what does not fit', async () => {
    const stored = dummyExperts({ bits: 4, blockSize: 32 });
    const layer = new ExpertLayer(kernels, stored);
    const pool = kernels.createPool({ numThreads: 1 });
    const good = randomCall(3, 5);
    const wrong: Partial<ExpertCall>[] = [
      { rows: new Float32Array(3 * HIDDEN - 1) },
      { rows: new Float32Array() },
      { out: new Float32Array(2 * HIDDEN) },
      { pairRows: new Uint32Array(4) },
      { pairRows: Uint32Array.of(0, 1, 2, 3, 0) },
      { pairExperts: Uint32Array.of(0, 0, 0, 0, 5) },
      { pairExperts: Uint32Array.of(1, 0, 0, 0, 0) },
      { pairWeights: new Float32Array(6) },
      { pairRows: new Int32Array(5) as unknown as Uint32Array },
      { rows: [1, 2, 3] as unknown as Float32Array },
    ];
    for (const part of wrong)
      await expect(layer.run(pool, { ...good, ...part })).rejects.toMatchObject({ code: 'invalid_argument' });
    await layer.run(pool, good);
    await pool.close();
    expect(() => new ExpertLayer(kernels, { ...stored, expertIds: [3] })).toThrow(/cannot map .*expert-003/);
    expect(() => new ExpertLayer(kernels, { ...stored, quantisation: { bits: 8, blockSize: 32 } })).toThrow(
      /end beyond/,
    );
  });
});

type Stored = ConstructorParameters<typeof ExpertLayer>[1];

function dummyExperts(quantisation: Quantisation): Stored {
  const storeDir = tempDir();
  const layout = expertLayout(spec, quantisation);
  for (const id of EXPERT_IDS)
    writeDummyBlob({ storeDir, path: expertBlobPath(0, id), layout, quantisation, seed: id });
  return { storeDir, spec, quantisation, layerIndex: 0, expertIds: EXPERT_IDS };
}

async function runOn(
  kernels: Kernels,
  options: Parameters<Kernels['createPool']>[0],
  layer: ExpertLayer,
  call: ExpertCall,
): Promise<void> {
  const pool = kernels.createPool(options);
  await layer.run(pool, call);
  await pool.close();
}

function randomCall(numRows: number, numPairs: number): ExpertCall {
  const next = randomNumbers(numRows + 3 * numPairs);
  const below = (n: number): number => Math.min(n - 1, Math.floor(((next() + 1) / 2) * n));
  return {
    rows: randomFloats(numRows, numRows * HIDDEN),
    pairRows: Uint32Array.from({ length: numPairs }, () => below(numRows)),
    // The third expert never has pairs.
    pairExperts: Uint32Array.from({ length: numPairs }, () => below(2) + 3 * below(2)).sort(),
    pairWeights: Float32Array.from({ length: numPairs }, () => next()),
    out: new Float32Array(numRows * HIDDEN),
  };
}

function plainExperts({ storeDir, quantisation, expertIds }: Stored, call: ExpertCall): Float64Array {
  const layout = expertLayout(spec, quantisation);
  const activations = (x: Float32Array): ArrayLike<number> =>
    'blockSize' in quantisation ? roundedActivations(x, quantisation.blockSize) : x;
  const matrices = expertIds.map((id) => {
    const blob = readFileSync(join(storeDir, expertBlobPath(0, id)));
    return {
      gateUp: plainMatrix(blob, layout, quantisation, 'gate_up'),
      down: plainMatrix(blob, layout, quantisation, 'down'),
    };
  });
  const out = new Float64Array(call.out.length);
  call.pairRows.forEach((row, pair) => {
    const expert = matrices[call.pairExperts[pair] ?? 0];
    if (expert === undefined) throw new Error('no such expert');
    const both = plainProduct(expert.gateUp, activations(call.rows.subarray(row * HIDDEN, (row + 1) * HIDDEN)));
    const inner = Float32Array.from({ length: INTERMEDIATE }, (_, i) => {
      const gate = both[i] ?? 0;
      return (gate / (1 + Math.exp(-gate))) * (both[INTERMEDIATE + i] ?? 0);
    });
    plainProduct(expert.down, activations(inner)).forEach((value, i) => {
      out[row * HIDDEN + i] = (out[row * HIDDEN + i] ?? 0) + (call.pairWeights[pair] ?? 0) * value;
    });
  });
  return out;
}

async function onnxExperts({ storeDir, quantisation, expertIds }: Stored, call: ExpertCall): Promise<Float64Array> {
  const graph = buildExpertShardGraph(spec, quantisation, 0, expertIds);
  const session = await createOnnxSession(graph, { weightsDir: storeDir, numThreads: 1 });
  const numPairs = call.pairRows.length;
  const rows = new Float32Array(numPairs * HIDDEN);
  const counts = new BigInt64Array(expertIds.length);
  call.pairRows.forEach((row, pair) => {
    rows.set(call.rows.subarray(row * HIDDEN, (row + 1) * HIDDEN), pair * HIDDEN);
    const expert = call.pairExperts[pair] ?? 0;
    counts[expert] = (counts[expert] ?? 0n) + 1n;
  });
  const outputs = await session.run({
    rows: { type: 'float32', dims: [numPairs, HIDDEN], data: rows },
    counts: { type: 'int64', dims: [counts.length], data: counts },
  });
  const unweighted = outputs.float32('out');
  const out = new Float64Array(call.out.length);
  call.pairRows.forEach((row, pair) => {
    for (let i = 0; i < HIDDEN; i++)
      out[row * HIDDEN + i] =
        (out[row * HIDDEN + i] ?? 0) + (call.pairWeights[pair] ?? 0) * (unweighted[pair * HIDDEN + i] ?? 0);
  });
  await session.release();
  return out;
}

/** As a share of the largest expected value. */
function largestDifference(actual: Float32Array, expected: Float64Array): number {
  let largest = 0;
  let difference = 0;
  expected.forEach((value, i) => {
    largest = Math.max(largest, Math.abs(value));
    difference = Math.max(difference, Math.abs((actual[i] ?? NaN) - value));
  });
  return difference / largest;
}
