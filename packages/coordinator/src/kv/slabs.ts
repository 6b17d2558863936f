import { type Kernels } from '@expertmesh/kernels/kernels';

const MAX_SLAB_BYTES = 2 ** 30;
const BORDER_BYTES = 64;

/**
 * Memory for blocks in a few arrays, since the engine allows none to be arbitrarily large. No block straddles two of
 * them. They are zero pages, which the system commits when they are first touched.
 *
 * @param kernels start the arrays where vectors do not cross cache lines; indifferent where absent.
 */
export function allocateSlabs(numBlocks: number, blockBytes: number, kernels: Kernels | undefined): Uint8Array[] {
  const blocksPerSlab = Math.max(1, Math.floor(MAX_SLAB_BYTES / blockBytes));
  const slabs: Uint8Array[] = [];
  for (let allocated = 0; allocated < numBlocks; allocated += blocksPerSlab) {
    const sizeBytes = Math.min(blocksPerSlab, numBlocks - allocated) * blockBytes;
    const buffer = new ArrayBuffer(sizeBytes + BORDER_BYTES);
    const startBytes = kernels?.bytesToBorder(new Uint8Array(buffer)) ?? 0;
    slabs.push(new Uint8Array(buffer, startBytes, sizeBytes));
  }
  return slabs;
}
