import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeProviders } from '@expertmesh/compute/provider/provider-probe';
import { type DenseRunner, type LayerOutput } from '@expertmesh/coordinator/dense/dense-runner';
import { OnnxDenseRunner } from '@expertmesh/coordinator/dense/onnx-dense-runner';
import { BlockPool } from '@expertmesh/coordinator/kv/block-pool';
import { BlockTable, type KvBlocks } from '@expertmesh/coordinator/kv/block-table';
import { KvMemory } from '@expertmesh/coordinator/kv/kv-memory';
import { kvBlockBytes } from '@expertmesh/kernels/kv-layout';
import { openExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { packCheckpoint } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';
import { PRESET_CONFIGS } from '@expertmesh/shared/expert-store/synth/presets';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { hasSoftwareVulkan, useSoftwareVulkan } from '@expertmesh/test-kit/software-vulkan';
import { tempDir } from '@expertmesh/test-kit/temp-dir';

const spec = parseModelSpec(PRESET_CONFIGS.demo);
const DEMO_CHECKPOINT = join(import.meta.dirname, '../../models/qwen3-moe-demo');

// The CPU rounds activations to int8 with 8 and 4 bits, a GPU does not.
const CASES: readonly { quantisation: Quantisation; maxError: number }[] = [
  { quantisation: { bits: 32 }, maxError: 1e-5 },
  { quantisation: { bits: 16, dtype: 'BF16' }, maxError: 1e-5 },
  { quantisation: { bits: 8, blockSize: 32 }, maxError: 0.02 },
  { quantisation: { bits: 4, blockSize: 32 }, maxError: 0.02 },
];

const NUM_BLOCKS = 16;
const kvMemory = (): KvMemory =>
  new KvMemory({ spec, dtype: 'fp32', budgetBytes: NUM_BLOCKS * kvBlockBytes(spec, 'fp32') });

describe.skipIf(!hasSoftwareVulkan)('WebGPU', () => {
  beforeAll(useSoftwareVulkan);

  it.each(CASES)('computes experts and dense part as the CPU does: $quantisation.bits bits', async (testCase) => {
    const { quantisation, maxError } = testCase;
    const options = { numThreads: 1, timeoutMs: 60_000, withDense: true };
    const probe = (await probeProviders(['webgpu'], { spec, quantisation }, options)).get('webgpu');
    if (probe?.type !== 'works') throw new Error(probe?.reason);
    expect(probe.experts.error).toBeLessThan(maxError);
    expect(probe.dense?.error).toBeLessThan(maxError);
  });

  describe('with attention on the host', () => {
    let cpu: DenseRunner;
    let gpu: DenseRunner;
    let blocks: Record<'cpu' | 'gpu', KvBlocks>;
    beforeAll(async () => {
      const storeDir = join(tempDir(), 'store');
      await packCheckpoint({ hfDir: DEMO_CHECKPOINT, storeDir, bits: 32 });
      const store = await openExpertStore(storeDir);
      cpu = await OnnxDenseRunner.load(store, { kind: 'onnx', provider: 'cpu', numThreads: 1 }, { kv: kvMemory() });
      gpu = await OnnxDenseRunner.load(store, { kind: 'onnx', provider: 'webgpu', numThreads: 1 }, { kv: kvMemory() });
      const blocksOf = ({ kv }: DenseRunner): KvBlocks => ({ pool: new BlockPool(NUM_BLOCKS), memory: kv });
      blocks = { cpu: blocksOf(cpu), gpu: blocksOf(gpu) };
    });
    afterAll(async () => {
      await cpu.close();
      await gpu.close();
    });

    it('attends as on the CPU: several sequences, many rows, refused drafts', async () => {
      const first = pairOfCaches();
      const second = pairOfCaches();
      await compareStep([{ caches: first, numRows: 40 }]);
      await compareStep([
        { caches: first, numRows: 1 },
        { caches: second, numRows: 33 },
      ]);
      for (const cache of first) cache.truncate(38);
      await compareStep([
        { caches: second, numRows: 1 },
        { caches: first, numRows: 5 },
      ]);
      for (const cache of [...first, ...second]) cache.release();
    });

    it('starts with an empty cache in memory that another sequence has used', async () => {
      for (const numRows of [20, 3, 7]) {
        const pair = pairOfCaches();
        await compareStep([{ caches: pair, numRows }]);
        await compareStep([{ caches: pair, numRows: 1 }]);
        for (const cache of pair) cache.release();
      }
    });

    const pairOfCaches = (): Caches => [new BlockTable(blocks.cpu), new BlockTable(blocks.gpu)];

    const compareStep = async (sequences: readonly ComparedRows[]): Promise<void> => {
      const numRows = sequences.reduce((sum, sequence) => sum + sequence.numRows, 0);
      const steps = [cpu, gpu].map((runner, index) =>
        runner.begin(sequences.map(({ caches: pair, numRows: rows }) => reserved(pair[index === 0 ? 0 : 1], rows))),
      );
      for (let layerIndex = 0; layerIndex < spec.numLayers; layerIndex++) {
        const hidden = cpu.embed(Array.from({ length: numRows }, (_, row) => 17 * (row + 1) + layerIndex));
        const [onCpu, onGpu] = await Promise.all(steps.map((step) => step.layer(layerIndex, hidden)));
        expectSame(onGpu, onCpu);
      }
      for (const { caches: pair, numRows: rows } of sequences) for (const cache of pair) cache.advance(rows);
    };
  });
});

/** The same sequence on the CPU and on the GPU. */
type Caches = readonly [BlockTable, BlockTable];

interface ComparedRows {
  readonly caches: Caches;
  readonly numRows: number;
}

function reserved(cache: BlockTable, numRows: number): { cache: BlockTable; numRows: number } {
  cache.reserve(numRows);
  return { cache, numRows };
}

function expectSame(actual: LayerOutput | undefined, expected: LayerOutput | undefined): void {
  expect(largestDifference(actual?.residual, expected?.residual)).toBeLessThan(1e-4);
  expect(largestDifference(actual?.routed?.normed, expected?.routed?.normed)).toBeLessThan(1e-3);
  expect(largestDifference(actual?.routed?.routingWeights, expected?.routed?.routingWeights)).toBeLessThan(1e-4);
  expect(actual?.routed?.expertIds).toEqual(expected?.routed?.expertIds);
}

function largestDifference(actual: Float32Array | undefined, expected: Float32Array | undefined): number {
  if (actual === undefined || actual.length !== expected?.length) return Infinity;
  return actual.reduce((largest, value, i) => Math.max(largest, Math.abs(value - (expected[i] ?? NaN))), 0);
}
