import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeKernels } from '@expertmesh/test-kit/describe-kernels';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { loadKernels, whyNoKernels } from './kernels.js';

const SIZE_KIB = 1024;

describeKernels('MappedFile', loadKernels() ?? whyNoKernels(), (kernels) => {
  it.runIf(process.platform === 'linux')('is in memory, page by page, once it was prefaulted', async () => {
    const path = writtenFile();
    const file = kernels.mapFile(path);
    expect(residentKiB(path)).toBe(0);
    await file.prefault();
    expect(residentKiB(path)).toBe(SIZE_KIB);
  });

  it.runIf(process.platform === 'linux')('says so when it cannot be read', async () => {
    const path = writtenFile();
    const file = kernels.mapFile(path);
    truncateSync(path, 0);
    await expect(file.prefault()).rejects.toMatchObject({ code: 'data_loss' });
    await expect(file.prefault()).rejects.toThrow(`${path} cannot be read: `);
  });
});

function writtenFile(): string {
  const path = join(tempDir(), 'blob');
  writeFileSync(path, new Uint8Array(SIZE_KIB * 1024));
  return path;
}

/** Pages of a file that are mapped into this process. */
function residentKiB(path: string): number {
  const smaps = readFileSync('/proc/self/smaps', 'utf8');
  const entry = smaps.slice(smaps.indexOf(path));
  return Number(/^Rss: +(\d+) kB$/m.exec(entry)?.[1]);
}
