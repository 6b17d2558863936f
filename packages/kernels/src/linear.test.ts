import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BlobLayout } from '@expertmesh/shared/expert-store/blob-layout';
import { BLOCK_SIZES, type Quantisation } from '@expertmesh/shared/expert-store/quantisation';
import { describe, expect, it } from 'vitest';
import { describeKernels } from '@expertmesh/test-kit/describe-kernels';
import { randomFloats, writeDummyBlob } from '@expertmesh/test-kit/dummy-blobs';
import { plainMatrix, plainProduct, roundedActivations, type PlainMatrix } from '@expertmesh/test-kit/reference-linear';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { loadKernels, type Kernels, whyNoKernels } from './kernels.js';
import { Linear } from './linear.js';

const dir = tempDir();

describeKernels('Linear', loadKernels() ?? whyNoKernels(), (kernels) => {
  const quantisations = ([4, 8] as const).flatMap((bits) =>
    BLOCK_SIZES.map((blockSize): Quantisation & { bits: 4 | 8 } => ({ bits, blockSize })),
  );

  describe.each(kernels.isas)('on %s', (isa) => {
    it.each(quantisations)(
      'is the product of rounded activations and dequantised weights: %o',
      async (quantisation) => {
        const { blockSize } = quantisation;
        for (const [out, inFeatures] of [
          [1, blockSize],
          [37, 3 * blockSize],
          [70, 5 * blockSize],
        ] as const) {
          const { linear, plain } = dummyMatrix(kernels, out, inFeatures, quantisation);
          const pool = kernels.createPool({ numThreads: 2, isa });
          for (const numRows of [1, 2, 3, 4, 5, 8, 12, 13, 40]) {
            const x = randomFloats(numRows, numRows * inFeatures);
            const y = new Float32Array(numRows * out);
            await linear.run(pool, x, y);
            for (let row = 0; row < numRows; row++) {
              const xRow = x.subarray(row * inFeatures, (row + 1) * inFeatures);
              const yRow = y.subarray(row * out, (row + 1) * out);
              expectWithin(yRow, plainProduct(plain, roundedActivations(xRow, blockSize)), 2e-5);
              // The rounding itself: a 254th of the block's range an element, with weights of about 1 / sqrt(in).
              expectWithin(yRow, plainProduct(plain, xRow), 0.03);
            }
          }
          await pool.close();
        }
      },
    );

    it('multiplies with fp32 matrices as they are', async () => {
      const { linear, plain } = dummyMatrix(kernels, 21, 50, { bits: 32 });
      const pool = kernels.createPool({ numThreads: 1, isa });
      const x = randomFloats(3, 5 * 50);
      const y = new Float32Array(5 * 21);
      await linear.run(pool, x, y);
      for (let row = 0; row < 5; row++)
        expectWithin(
          y.subarray(row * 21, row * 21 + 21),
          plainProduct(plain, x.subarray(row * 50, row * 50 + 50)),
          1e-5,
        );
      await pool.close();
    });
  });
});

let numBlobs = 0;

function dummyMatrix(
  kernels: Kernels,
  out: number,
  inFeatures: number,
  quantisation: Quantisation,
): { linear: Linear; plain: PlainMatrix } {
  const layout = matrixLayout(out, inFeatures, quantisation);
  const path = `matrix-${String(numBlobs++)}.bin`;
  writeDummyBlob({ storeDir: dir, path, layout, quantisation, seed: numBlobs });
  const file = kernels.mapFile(join(dir, path));
  return {
    linear: new Linear(kernels, file.matrix(layout, quantisation, 'm')),
    plain: plainMatrix(readFileSync(join(dir, path)), layout, quantisation, 'm'),
  };
}

function matrixLayout(out: number, inFeatures: number, quantisation: Quantisation): BlobLayout {
  if (!('blockSize' in quantisation)) {
    const sizeBytes = out * inFeatures * 4;
    return { tensors: [{ name: 'm', dtype: 'F32', shape: [out, inFeatures], offsetBytes: 0, sizeBytes }], sizeBytes };
  }
  const { bits, blockSize } = quantisation;
  const numBlocks = inFeatures / blockSize;
  const qBytes = (out * inFeatures * bits) / 8;
  const scaleBytes = out * numBlocks * 4;
  return {
    tensors: [
      { name: 'm.q', dtype: 'U8', shape: [out, numBlocks, (blockSize * bits) / 8], offsetBytes: 0, sizeBytes: qBytes },
      { name: 'm.scales', dtype: 'F32', shape: [out, numBlocks], offsetBytes: qBytes, sizeBytes: scaleBytes },
    ],
    sizeBytes: qBytes + scaleBytes,
  };
}

function expectWithin(actual: Float32Array, expected: Float64Array, tolerance: number): void {
  const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs((actual[i] ?? NaN) - value)), 0);
  expect(worst).toBeLessThan(tolerance);
}
