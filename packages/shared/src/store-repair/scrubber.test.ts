import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
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

it('takes what cannot be read for no damage, and looks again', async () => {
  const dir = tempDir();
  const content = Buffer.alloc(1024, 7);
  const sha256 = createHash('sha256').update(content).digest('hex');
  writeFileSync(join(dir, 'file'), content);
  mkdirSync(join(dir, 'directory'));
  const stop = new AbortController();
  const damaged: string[] = [];
  let [numIntact, numLooks] = [0, 0];
  const requireBlobFile = (): Promise<string> => {
    numLooks += 1;
    if (numLooks === 1) return Promise.reject(new Error('EMFILE: too many open files'));
    return Promise.resolve(join(dir, numLooks === 2 ? 'directory' : 'file'));
  };
  await scrub(
    {
      store: { blob: (path) => ({ path, sizeBytes: 1024, sha256 }), requireBlobFile },
      bytesPerSecond: 100 * SIZE_BYTES,
      paths: () => ['a'],
      onIntact: () => {
        numIntact += 1;
        stop.abort();
      },
      onDamaged: (path, { message }) => {
        damaged.push(`${path}: ${message}`);
      },
    },
    stop.signal,
  );
  expect(damaged).toEqual([]);
  expect([numLooks, numIntact]).toEqual([3, 1]);
});
