import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type BlobLayout, type StoredTensor } from '@expertmesh/shared/expert-store/blob-layout';
import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';

/** Numbers in [-1, 1) that are the same in every run (xorshift32). */
export function randomNumbers(seed: number): () => number {
  let state = seed * 2654435761 + 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state | 0) / 2 ** 31;
  };
}

export function randomFloats(seed: number, length: number): Float32Array<ArrayBuffer> {
  const next = randomNumbers(seed);
  return Float32Array.from({ length }, next);
}

export interface DummyBlob {
  readonly storeDir: string;
  readonly path: string;
  readonly layout: BlobLayout;
  readonly quantisation: Quantisation;
  readonly seed: number;
}

/**
 * Writes a blob of that layout with random weights of the size that a model's have: matrices about 1 / sqrt(in), norms
 * near 1, biases small. Not for stores of 16 bits.
 */
export function writeDummyBlob({ storeDir, path, layout, quantisation, seed }: DummyBlob): void {
  const bytes = new Uint8Array(layout.sizeBytes);
  const next = randomNumbers(seed);
  for (const tensor of layout.tensors) {
    const { dtype, offsetBytes, sizeBytes } = tensor;
    if (dtype === 'U8') for (let i = 0; i < sizeBytes; i++) bytes[offsetBytes + i] = 128 + Math.floor(128 * next());
    else fillFloats(new Float32Array(bytes.buffer, offsetBytes, sizeBytes / 4), tensor, quantisation, next);
  }
  const file = join(storeDir, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, bytes);
}

function fillFloats(values: Float32Array, tensor: StoredTensor, quantisation: Quantisation, next: () => number): void {
  const [centre, spread] = distributionOf(tensor, quantisation);
  for (let i = 0; i < values.length; i++) values[i] = centre + spread * next();
}

function distributionOf({ name, shape }: StoredTensor, quantisation: Quantisation): [centre: number, spread: number] {
  if (name.endsWith('norm')) return [1, 0.3];
  if (name.endsWith('bias')) return [0, 0.3];
  const lastDim = shape.at(-1) ?? 1;
  if (!name.endsWith('.scales') || !('blockSize' in quantisation)) return [0, Math.sqrt(3 / lastDim)];
  const step = 2 ** (1 - quantisation.bits) / Math.sqrt(lastDim * quantisation.blockSize);
  return [1.7 * step, 0.5 * step];
}
