import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type FileSource } from './file-source.js';
import { mendFiles } from './mend-files.js';

const CONTENT = Buffer.alloc(4096, 7);

/** It gives each file after it has refused so many times. */
function sourceThatRefuses(numRefusals: number, refusal: ExpertmeshError): FileSource & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    name: 'a peer',
    asked,
    read: async function* ({ path }) {
      asked.push(path);
      if (asked.length <= numRefusals) throw refusal;
      yield await Promise.resolve(CONTENT);
    },
    close: () => undefined,
  };
}

function emptyStore() {
  const sha256 = createHash('sha256').update(CONTENT).digest('hex');
  return { dir: tempDir(), blob: (path: string) => ({ path, sizeBytes: CONTENT.byteLength, sha256 }) };
}

it('asks a source again that gives others as many files as it may', async () => {
  const store = emptyStore();
  const source = sourceThatRefuses(2, new ExpertmeshError('resource_exhausted', '32 files are being read'));
  await mendFiles(store, ['a', 'b'], [source], { signal: new AbortController().signal });
  for (const path of ['a', 'b']) expect(readFileSync(join(store.dir, path)).equals(CONTENT)).toBe(true);
});

it('asks a source that is away once, and ends its waiting when it is told to', async () => {
  const store = emptyStore();
  const away = sourceThatRefuses(9, new ExpertmeshError('unavailable', 'a peer is away'));
  const { signal } = new AbortController();
  await expect(mendFiles(store, ['a'], [away], { signal })).rejects.toMatchObject({ code: 'unavailable' });
  expect(away.asked).toEqual(['a']);
  const busy = sourceThatRefuses(Infinity, new ExpertmeshError('resource_exhausted', 'busy'));
  const startMs = performance.now();
  const timeout = AbortSignal.timeout(400);
  await expect(mendFiles(store, ['a'], [busy], { signal: timeout })).rejects.toMatchObject({ code: 'cancelled' });
  expect(performance.now() - startMs).toBeLessThan(10_000);
});

it('says that nobody has a file where one of those that were asked lacks it, or has another store', async () => {
  const { signal } = new AbortController();
  const away = sourceThatRefuses(9, new ExpertmeshError('unavailable', 'a peer is away'));
  const lacking = sourceThatRefuses(9, new ExpertmeshError('not_found', 'no such file'));
  const other = sourceThatRefuses(9, new ExpertmeshError('failed_precondition', 'another store'));
  for (const source of [lacking, other]) {
    const mended = mendFiles(emptyStore(), ['a', 'b'], [away, source], { signal });
    await expect(mended).rejects.toMatchObject({ code: 'not_found' });
  }
  await expect(mendFiles(emptyStore(), ['a'], [], { signal })).rejects.toMatchObject({ code: 'not_found' });
});
