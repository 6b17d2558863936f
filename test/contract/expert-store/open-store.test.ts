import { cpSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, it } from 'vitest';
import { EmbeddingReader } from '@expertmesh/shared/expert-store/embedding-reader';
import { openExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { parseManifest, serialiseManifest, type Manifest } from '@expertmesh/shared/expert-store/manifest';
import { packCheckpoint } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { verifyFiles } from '@expertmesh/shared/expert-store/verification/verify-files';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { writeTinyCheckpoint } from './tiny-checkpoint.js';
import { verifyBlobs } from './verify-blobs.js';

const EXPERT = 'experts/layer-001/expert-003.bin';

let packedDir: string;
let dir: string;

beforeAll(async () => {
  packedDir = join(tempDir(), 'packed');
  await packCheckpoint({ hfDir: writeTinyCheckpoint(tempDir()), storeDir: packedDir, bits: 4, numThreads: 2 });
});

beforeEach(() => {
  dir = join(tempDir(), 'store');
  cpSync(packedDir, dir, { recursive: true });
});

function changeManifest(change: (manifest: Manifest) => object): void {
  const file = join(dir, 'manifest.json');
  const manifest = parseManifest(readFileSync(file, 'utf8'), file);
  writeFileSync(file, serialiseManifest({ ...manifest, ...change(manifest) }));
}

it('a copy of a store is the same store', async () => {
  const store = await openExpertStore(dir);
  expect(store.storeId).toMatch(/^[0-9a-f]{64}$/);
  expect(store.storeId).toBe((await openExpertStore(packedDir)).storeId);
  expect(store.spec.numExperts).toBe(4);
  expect(store.blob(EXPERT).sizeBytes).toBe(store.manifest.blobs.at(-1)?.sizeBytes);
  expect(() => store.blob('dense/layer-002.bin')).toThrow(`the store ${dir} has no file dense/layer-002.bin`);
});

it('a worker needs the files of its own experts only', async () => {
  rmSync(join(dir, 'dense'), { recursive: true });
  rmSync(join(dir, 'experts/layer-000'), { recursive: true });
  const store = await openExpertStore(dir);
  await verifyBlobs(store, [EXPERT]);
  await expect(store.requireBlobFile('experts/layer-000/expert-000.bin')).rejects.toThrow(
    `${join(dir, 'experts/layer-000/expert-000.bin')} is missing: copy this file from the store to this machine`,
  );
  expect(() => new EmbeddingReader(store)).toThrow('embedding.bin is missing');
});

it('one changed bit in a blob is found, and named with the remedy', async () => {
  const file = join(dir, EXPERT);
  const bytes = readFileSync(file);
  bytes[1000] = (bytes[1000] ?? 0) ^ 1;
  writeFileSync(file, bytes);
  const store = await openExpertStore(dir);
  const check = verifyBlobs(store, [EXPERT]);
  await expect(check).rejects.toMatchObject({ code: 'data_loss' });
  await expect(check).rejects.toThrow(`${file} has sha256 `);
  await expect(check).rejects.toThrow('copy this file from the store again');
});

it('a changed file beside the blobs is found, and named with the remedy', async () => {
  await verifyFiles(await openExpertStore(dir));
  const file = join(dir, 'config.json');
  writeFileSync(file, `${readFileSync(file, 'utf8')} `);
  const check = verifyFiles(await openExpertStore(dir));
  await expect(check).rejects.toMatchObject({ code: 'data_loss' });
  await expect(check).rejects.toThrow(`${file} has sha256 `);
});

it('a truncated blob is found without reading it', async () => {
  truncateSync(join(dir, EXPERT), 100);
  truncateSync(join(dir, 'dense/embedding.bin'), 100);
  const store = await openExpertStore(dir);
  await expect(store.requireBlobFile(EXPERT)).rejects.toThrow('has 100 bytes, the manifest says');
  expect(() => new EmbeddingReader(store)).toThrow('has 100 bytes instead of 12288');
});

it('a link that leads out of the store is refused, a link to the store is not', async () => {
  const link = join(tempDir(), 'link');
  symlinkSync(dir, link);
  await verifyBlobs(await openExpertStore(link), [EXPERT]);
  const elsewhere = join(tempDir(), 'experts');
  renameSync(join(dir, 'experts'), elsewhere);
  symlinkSync(elsewhere, join(dir, 'experts'));
  const check = verifyBlobs(await openExpertStore(dir), [EXPERT]);
  await expect(check).rejects.toMatchObject({ code: 'failed_precondition' });
  await expect(check).rejects.toThrow(`${join(dir, EXPERT)} is a link to ${elsewhere}`);
});

it('a store of another format version is refused', async () => {
  changeManifest(() => ({ formatVersion: 2 }));
  const opening = openExpertStore(dir);
  await expect(opening).rejects.toMatchObject({ code: 'failed_precondition' });
  await expect(opening).rejects.toThrow('has format version 2, this release reads version 1');
});

it('a manifest that does not fit its model is refused', async () => {
  changeManifest(({ blobs }) => ({ blobs: blobs.slice(1) }));
  await expect(openExpertStore(dir)).rejects.toThrow('blob dense/embedding.bin is not listed');
  changeManifest(({ blobs }) => ({
    blobs: [{ path: 'dense/embedding.bin', sizeBytes: 1, sha256: '0'.repeat(64) }, ...blobs],
  }));
  await expect(openExpertStore(dir)).rejects.toThrow(
    'dense/embedding.bin is listed with 1 bytes, its layout has 12288',
  );
  cpSync(packedDir, dir, { recursive: true });
  changeManifest(({ blobs }) => ({ blobs: [...blobs, { path: 'x', sizeBytes: 1, sha256: '0'.repeat(64) }] }));
  await expect(openExpertStore(dir)).rejects.toThrow('it lists 13 blobs, the model has 12');
});

it('a folder that is no store says how to make one', async () => {
  await expect(openExpertStore(join(dir, 'dense'))).rejects.toThrow(
    'is not an expert store (no readable manifest.json)',
  );
});
