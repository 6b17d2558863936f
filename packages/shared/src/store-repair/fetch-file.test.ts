import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { fetchFile } from './fetch-file.js';
import { type FileSource } from './file-source.js';

const CONTENT = Buffer.alloc(64 * 1024, 7);
const NEVER = new AbortController().signal;

async function* inPieces(content: Buffer): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < content.byteLength; offset += 4096) {
    await setImmediate();
    yield content.subarray(offset, offset + 4096);
  }
}

const sourceOf = (content: Buffer): FileSource => ({
  name: 'a copy',
  read: () => inPieces(content),
  close: () => undefined,
});

function emptyStore() {
  const dir = tempDir();
  const sha256 = createHash('sha256').update(CONTENT).digest('hex');
  return { dir, blob: (path: string) => ({ path, sizeBytes: CONTENT.byteLength, sha256 }) };
}

it('brings a file into its place that others bring there at the same time', async () => {
  const store = emptyStore();
  const fetching = Array.from({ length: 4 }, () => fetchFile(store, 'experts/a', sourceOf(CONTENT), NEVER));
  await Promise.all(fetching);
  expect(readFileSync(join(store.dir, 'experts/a')).equals(CONTENT)).toBe(true);
  expect(readdirSync(join(store.dir, 'experts'))).toEqual(['a']);
});

it('leaves nothing of a file that is another than the manifest says', async () => {
  const store = emptyStore();
  const other = Buffer.alloc(CONTENT.byteLength, 8);
  await expect(fetchFile(store, 'a', sourceOf(other), NEVER)).rejects.toMatchObject({ code: 'data_loss' });
  expect(readdirSync(store.dir)).toEqual([]);
});
