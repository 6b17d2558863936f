import { describe, expect, it } from 'vitest';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { type DroppedBlock } from '../block-pool.js';
import { BlockFiles } from './block-files.js';
import { DiskArchive } from './disk-archive.js';

type Thread = ConstructorParameters<typeof DiskArchive>[1];

const BLOCK_BYTES = 64;
const dropped = (blockId: number, chainLength = 8): DroppedBlock => ({
  blockId,
  prefix: String(blockId).padStart(32, '0'),
  chainLength,
});

/** The archive on real files, without a thread between. */
function archiveOn(dir: string, options: { maxBytes?: number; isFull?: () => boolean } = {}) {
  const { maxBytes = 1e6, isFull = () => false } = options;
  const files = new BlockFiles({ dir, maxBytes, identity: 'store' });
  const failures: string[] = [];
  const request = async (name: string, argument: unknown): Promise<unknown> => {
    await Promise.resolve();
    if (name === 'read') return files.read(argument as string);
    if (isFull()) throw new ExpertmeshError('resource_exhausted', 'no space left');
    const { prefix, bytes } = argument as { prefix: string; bytes: Uint8Array };
    return files.write(prefix, bytes);
  };
  const thread = { request, close: () => Promise.resolve() } as Thread;
  const archive = new DiskArchive(
    {
      dir,
      maxBytes,
      identity: [],
      readBlock: (blockId) => new Uint8Array(BLOCK_BYTES).fill(blockId),
      onFailure: ({ message }) => failures.push(message),
    },
    thread,
    files.prefixes(),
  );
  return { archive, failures };
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('DiskArchive', () => {
  it('keeps blocks of long prefixes alone, and has them after a restart', async () => {
    const dir = tempDir();
    const { archive } = archiveOn(dir);
    archive.keep(dropped(1));
    archive.keep(dropped(2, 7));
    await archive.close([dropped(3), dropped(4, 1)]);
    const { archive: again } = archiveOn(dir);
    expect([1, 2, 3, 4].map((blockId) => again.has(dropped(blockId).prefix))).toEqual([true, false, true, false]);
    expect(await again.read(dropped(3).prefix)).toEqual(new Uint8Array(BLOCK_BYTES).fill(3));
  });

  it('forgets blocks that had to make room for others', async () => {
    const { archive } = archiveOn(tempDir(), { maxBytes: 2 * (BLOCK_BYTES + 40) });
    for (const blockId of [1, 2, 3]) archive.keep(dropped(blockId));
    await settled();
    expect([1, 2, 3].map((blockId) => archive.has(dropped(blockId).prefix))).toEqual([false, true, true]);
  });

  it('says once that the disk is full, and goes on when it is not', async () => {
    let isFull = true;
    const { archive, failures } = archiveOn(tempDir(), { isFull: () => isFull });
    for (const blockId of [1, 2]) archive.keep(dropped(blockId));
    await settled();
    expect(failures).toEqual(['no space left']);
    expect(archive.has(dropped(1).prefix)).toBe(false);
    isFull = false;
    archive.keep(dropped(1));
    await settled();
    expect(archive.has(dropped(1).prefix)).toBe(true);
  });
});
