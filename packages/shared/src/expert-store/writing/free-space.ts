import { statfs } from 'node:fs/promises';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { formatBytes } from '../format-bytes.js';

/** Bytes that an unprivileged process may still write to the disk that holds `dir`. */
export type FreeSpaceBytes = (dir: string) => Promise<number>;

export const freeSpaceBytes: FreeSpaceBytes = async (dir) => {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
};

const DISK_BLOCK_BYTES = 4096;

/** What files of these sizes occupy on a disk. */
export function diskBytes(sizesBytes: readonly number[]): number {
  return sizesBytes.reduce((sum, sizeBytes) => sum + Math.ceil(sizeBytes / DISK_BLOCK_BYTES) * DISK_BLOCK_BYTES, 0);
}

/** @throws ExpertmeshError `resource_exhausted` when the disk of `dir` has less than `neededBytes` left. */
export async function requireFreeSpace(dir: string, neededBytes: number, measure: FreeSpaceBytes): Promise<void> {
  const availableBytes = await measure(dir);
  if (availableBytes >= neededBytes) return;
  throw new ExpertmeshError(
    'resource_exhausted',
    `${dir} needs ${formatBytes(neededBytes)}, its disk has ${formatBytes(availableBytes)} left: free some, choose ` +
      'another disk, or use fewer bits',
  );
}
