import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type BlobLayout, type StoredTensor } from '@expertmesh/shared/expert-store/blob-layout';
import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';
import { randomFloats } from '@expertmesh/test-kit/dummy-blobs';
import { tempDir } from '@expertmesh/test-kit/temp-dir';

export interface MatrixFile {
  readonly dir: string;
  readonly path: string;
  readonly layout: BlobLayout;
  /** Names of the matrices in it. */
  readonly names: readonly string[];
  /** Of one matrix, with its scales. */
  readonly matrixBytes: number;
}

/** A file of so many equal matrices [outFeatures, inFeatures]. */
export function writeMatrices(
  outFeatures: number,
  inFeatures: number,
  quantisation: Quantisation,
  count: number,
): MatrixFile {
  const tensors: StoredTensor[] = [];
  const names = Array.from({ length: count }, (_, index) => `m${String(index)}`);
  let offsetBytes = 0;
  const add = (name: string, dtype: 'U8' | 'F32', shape: readonly number[]): void => {
    const sizeBytes = shape.reduce((product, length) => product * length, dtype === 'U8' ? 1 : 4);
    tensors.push({ name, dtype, shape, offsetBytes, sizeBytes });
    offsetBytes += sizeBytes;
  };
  for (const name of names) {
    if (quantisation.bits === 4 || quantisation.bits === 8) {
      const numBlocks = inFeatures / quantisation.blockSize;
      add(`${name}.q`, 'U8', [outFeatures, numBlocks, (quantisation.blockSize * quantisation.bits) / 8]);
      add(`${name}.scales`, 'F32', [outFeatures, numBlocks]);
    } else add(name, 'F32', [outFeatures, inFeatures]);
  }
  const layout: BlobLayout = { tensors, sizeBytes: offsetBytes };
  const dir = tempDir();
  const path = 'matrices.bin';
  writeRandomBytes(join(dir, path), layout);
  return { dir, path, layout, names, matrixBytes: offsetBytes / count };
}

/** Weights that repeat every few rows: the arithmetic does not care, and random numbers take long. */
function writeRandomBytes(path: string, layout: BlobLayout): void {
  const file = openSync(path, 'w');
  const floats = randomFloats(3, 2 ** 16);
  const bytes = new Uint8Array(floats.buffer);
  const scales = new Uint8Array(new Float32Array(2 ** 16).fill(0.01).buffer);
  for (const { name, dtype, offsetBytes, sizeBytes } of layout.tensors) {
    const some = dtype === 'F32' && name.endsWith('.scales') ? scales : bytes;
    for (let written = 0; written < sizeBytes; written += some.length)
      writeSync(file, some, 0, Math.min(some.length, sizeBytes - written), offsetBytes + written);
  }
  closeSync(file);
}
