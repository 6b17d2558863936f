import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { scrub } from '@expertmesh/shared/store-repair/scrubber';
import { tempDir } from '@expertmesh/test-kit/temp-dir';

const SIZE_BYTES = 1024 * 1024;

it('reads at its rate, round after round, and tells of what differs until it is told to end', async () => {
  const dir = tempDir();
  const content = Buffer.alloc(SIZE_BYTES, 7);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const write = (name: string, bytes: Buffer): void => {
    writeFileSync(join(dir, name), bytes);
  };
  write('a', content);
  write('b', content);
  const stop = new AbortController();
  let numIntact = 0;
  const damaged: string[] = [];
  const startMs = performance.now();
  const ended = scrub(
    {
      store: {
        blob: (path) => ({ path, sizeBytes: SIZE_BYTES, sha256 }),
        requireBlobFile: (path) => Promise.resolve(join(dir, path)),
      },
      bytesPerSecond: 20 * SIZE_BYTES,
      paths: () => ['a', 'b'],
      onIntact: () => {
        numIntact += 1;
        if (numIntact === 4) write('b', Buffer.alloc(SIZE_BYTES, 8));
      },
      onDamaged: (path, { code }) => {
        damaged.push(`${path} ${code}`);
        if (damaged.length === 2) stop.abort();
      },
    },
    stop.signal,
  );
  await ended;
  expect(damaged).toEqual(['b data_loss', 'b data_loss']);
  // Eight looks of 50 ms each, at least.
  expect(performance.now() - startMs).toBeGreaterThan(390);
  expect(numIntact).toBeGreaterThanOrEqual(6);
});
