import { closeSync, openSync, readFileSync, statSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { openExpertStore, type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { packCheckpoint } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { BlobVerification } from '@expertmesh/shared/expert-store/verification/blob-verification';
import { stampOf } from '@expertmesh/shared/expert-store/verification/file-stamp';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { writeTinyCheckpoint } from './tiny-checkpoint.js';
import { verifyBlobs } from './verify-blobs.js';

const EXPERT = 'experts/layer-001/expert-003.bin';

/** More than the time for which a file that has just been written is not trusted. */
const SETTLED_MS = 120;

let store: ExpertStore;
let cacheDir: string;

beforeEach(async () => {
  const storeDir = join(tempDir(), 'store');
  cacheDir = join(tempDir(), 'cache');
  await packCheckpoint({ hfDir: writeTinyCheckpoint(tempDir()), storeDir, bits: 4, numThreads: 2 });
  store = await openExpertStore(storeDir);
  await setTimeout(SETTLED_MS);
});

const recordFile = (): string => join(cacheDir, 'verified-files');
const fileOf = (path: string): string => join(store.dir, path);
const stampOfFile = (file: string): string => stampOf(statSync(file, { bigint: true }));

function flipByte(path: string): void {
  const file = openSync(fileOf(path), 'r+');
  writeSync(file, Buffer.from([readFileSync(fileOf(path))[1000] === 1 ? 2 : 1]), 0, 1, 1000);
  closeSync(file);
}

describe('what was verified once', () => {
  it('is not read again', async () => {
    await verifyBlobs(store, undefined, { cacheDir });
    const lines = readFileSync(recordFile(), 'utf8').split('\n').filter(Boolean);
    expect(lines.sort()).toEqual(
      store.manifest.blobs.map(({ path, sha256 }) => `${sha256} ${stampOfFile(fileOf(path))}`).sort(),
    );
    // Bytes that no look at the file's stamp can tell: the record says that the file was seen as it is.
    flipByte(EXPERT);
    writeFileSync(recordFile(), `${store.blob(EXPERT).sha256} ${stampOfFile(fileOf(EXPERT))}\n`);
    await verifyBlobs(store, [EXPERT], { cacheDir });
  });

  it('is read nevertheless with "always"', async () => {
    await verifyBlobs(store, [EXPERT], { cacheDir });
    flipByte(EXPERT);
    writeFileSync(recordFile(), `${store.blob(EXPERT).sha256} ${stampOfFile(fileOf(EXPERT))}\n`);
    await expect(verifyBlobs(store, [EXPERT], { cacheDir, mode: 'always' })).rejects.toMatchObject({
      code: 'data_loss',
    });
  });

  it('is read again after a change, also where the time of the change was put back', async () => {
    utimesSync(fileOf(EXPERT), 1000, 1000);
    await setTimeout(SETTLED_MS);
    await verifyBlobs(store, undefined, { cacheDir });
    flipByte(EXPERT);
    await expect(verifyBlobs(store, undefined, { cacheDir })).rejects.toMatchObject({ code: 'data_loss' });
    utimesSync(fileOf(EXPERT), 1000, 1000);
    await expect(verifyBlobs(store, undefined, { cacheDir })).rejects.toThrow(`${fileOf(EXPERT)} has sha256 `);
  });

  it('is read again after a touch, and then remembered as it is', async () => {
    await verifyBlobs(store, [EXPERT], { cacheDir });
    utimesSync(fileOf(EXPERT), 1, 1);
    await setTimeout(SETTLED_MS);
    await verifyBlobs(store, [EXPERT], { cacheDir });
    expect(readFileSync(recordFile(), 'utf8')).toContain(stampOfFile(fileOf(EXPERT)));
  });
});

it('does not trust the stamp of a file that was changed a moment ago', async () => {
  // A little ahead, as the moment may have passed before the thread that hashes has started.
  utimesSync(fileOf(EXPERT), new Date(), new Date(Date.now() + 2_000));
  await verifyBlobs(store, [EXPERT], { cacheDir });
  expect(() => statSync(recordFile())).toThrow('ENOENT');
});

it('remembers the blobs that were just packed', async () => {
  const storeDir = join(tempDir(), 'again');
  const onProgress = (): void => {
    // Writing takes long enough for the first blobs to settle.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  };
  await packCheckpoint({
    hfDir: writeTinyCheckpoint(tempDir()),
    storeDir,
    bits: 4,
    numThreads: 1,
    cacheDir,
    onProgress,
  });
  const packed = await openExpertStore(storeDir);
  const known = readFileSync(recordFile(), 'utf8').split('\n').filter(Boolean);
  const lines = packed.manifest.blobs.map(({ path, sha256 }) => `${sha256} ${stampOfFile(join(packed.dir, path))}`);
  expect(known.length).toBeGreaterThan(0);
  expect(lines).toEqual(expect.arrayContaining(known));
});

it('can be cancelled before it begins and while it hashes', async () => {
  await expect(verifyBlobs(store, [EXPERT], {}, AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
  const abort = new AbortController();
  const checking = verifyBlobs(store, undefined, {}, abort.signal);
  abort.abort();
  await expect(checking).rejects.toMatchObject({ code: 'cancelled' });
});

it('goes on with the other blobs after one that is damaged, and names that one', async () => {
  flipByte('dense/embedding.bin');
  const verification = new BlobVerification(store, ['dense/embedding.bin', EXPERT], {
    mode: 'changed',
    numThreads: 1,
    cacheDir,
  });
  await verification.passed([EXPERT]);
  await expect(verification.passed(['dense/embedding.bin'])).rejects.toThrow(
    `${fileOf('dense/embedding.bin')} has sha256`,
  );
  await verification.end();
});
