import { headLayout } from '@expertmesh/shared/expert-store/blob-layout';
import { HEAD_BLOB_PATH } from '@expertmesh/shared/expert-store/blob-path';
import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { buildHeadGraph } from '@expertmesh/shared/onnx/dense-graph';
import { createOnnxSession } from '@expertmesh/shared/onnx/session';
import { expect, it } from 'vitest';
import { describeKernels } from '@expertmesh/test-kit/describe-kernels';
import { randomFloats, writeDummyBlob } from '@expertmesh/test-kit/dummy-blobs';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { Head } from './head.js';
import { loadKernels, whyNoKernels } from './kernels.js';

const HIDDEN = 160;
const VOCAB = 1001;
const spec = parseModelSpec({
  model_type: 'qwen3_moe',
  hidden_size: HIDDEN,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  num_experts: 8,
  num_experts_per_tok: 2,
  moe_intermediate_size: 32,
  intermediate_size: 32,
  vocab_size: VOCAB,
  max_position_embeddings: 64,
});
const CASES: [Quantisation, number][] = [
  [{ bits: 4, blockSize: 32 }, 5e-3],
  [{ bits: 8, blockSize: 32 }, 5e-3],
  [{ bits: 32 }, 1e-5],
];

describeKernels('Head', loadKernels() ?? whyNoKernels(), (kernels) => {
  it.each(CASES)('computes what the ONNX graph computes: %o', async (quantisation, tolerance) => {
    const storeDir = tempDir();
    const layout = headLayout(spec, quantisation);
    writeDummyBlob({ storeDir, path: HEAD_BLOB_PATH, layout, quantisation, seed: 3 });
    const session = await createOnnxSession(buildHeadGraph(spec, quantisation), {
      weightsDir: storeDir,
      numThreads: 1,
    });
    const head = new Head(kernels, { storeDir, spec, quantisation });
    const pool = kernels.createPool({ numThreads: 2 });
    for (const numRows of [1, 3, 17]) {
      const hidden = randomFloats(numRows, numRows * HIDDEN);
      const logits = new Float32Array(numRows * VOCAB);
      await head.run(pool, hidden, logits);
      const outputs = await session.run({ hidden: { type: 'float32', dims: [numRows, HIDDEN], data: hidden } });
      const expected = outputs.float32('logits');
      const largest = Math.max(...expected.map(Math.abs));
      const worst = Math.max(...expected.map((value, i) => Math.abs(value - (logits[i] ?? NaN))));
      expect(worst).toBeLessThan(tolerance * largest);
    }
    await expect(head.run(pool, new Float32Array(HIDDEN), new Float32Array(VOCAB + 1))).rejects.toThrow(
      /logits has 1002/,
    );
    await pool.close();
    await session.release();
  });
});
