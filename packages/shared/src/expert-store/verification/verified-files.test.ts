import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { VerifiedFiles } from './verified-files.js';

const HASH = 'ab'.repeat(32);
const OTHER_HASH = 'cd'.repeat(32);

let dir = '';

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'verified-files-'));
});

afterEach(() => {
  rmSync(dir, { recursive: true });
});

const recordFile = (): string => join(dir, 'verified-files');

async function record(...stamps: string[]): Promise<void> {
  const files = await VerifiedFiles.open(dir);
  for (const stamp of stamps) files.add(stamp, HASH);
  await files.save();
}

const isKnown = async (stamp: string, sha256 = HASH): Promise<boolean> =>
  (await VerifiedFiles.open(dir)).has(stamp, sha256);

it('remembers a file by its stamp and its hash, from one process to the next', async () => {
  await record('1:2:3:4:5');
  expect(await isKnown('1:2:3:4:5')).toBe(true);
  expect(await isKnown('1:2:3:4:6')).toBe(false);
  expect(await isKnown('1:2:3:4:5', OTHER_HASH)).toBe(false);
});

it('keeps what several processes add at the same time', async () => {
  const processes = await Promise.all(Array.from({ length: 8 }, () => VerifiedFiles.open(dir)));
  await Promise.all(
    processes.map(async (files, index) => {
      for (let n = 0; n < 100; n++) files.add(`${String(index)}:${String(n)}`, HASH);
      await files.save();
    }),
  );
  const all = await VerifiedFiles.open(dir);
  for (let index = 0; index < 8; index++)
    for (let n = 0; n < 100; n++) expect(all.has(`${String(index)}:${String(n)}`, HASH)).toBe(true);
});

it('loses no more than the line that a killed process left unfinished', async () => {
  await record('1:1:1:1:1');
  appendFileSync(recordFile(), `\n${HASH} 2:2:2:2`);
  await record('3:3:3:3:3');
  expect(await isKnown('1:1:1:1:1')).toBe(true);
  expect(await isKnown('2:2:2:2:2')).toBe(false);
  expect(await isKnown('3:3:3:3:3')).toBe(true);
});

it('takes a damaged record for an empty one, and goes on writing to it', async () => {
  writeFileSync(recordFile(), Buffer.from([0, 255, 10, 200, 1]));
  expect(await isKnown('1:2:3:4:5')).toBe(false);
  await record('1:2:3:4:5');
  expect(await isKnown('1:2:3:4:5')).toBe(true);
});

it('begins anew before it grows over its limit', async () => {
  await record('1:2:3:4:5');
  appendFileSync(recordFile(), 'x'.repeat(8 * 2 ** 20));
  expect(await isKnown('1:2:3:4:5')).toBe(false);
  await record('6:7:8:9:10');
  expect(await isKnown('6:7:8:9:10')).toBe(true);
  expect(readFileSync(recordFile()).byteLength).toBeLessThan(200);
});

it('does without a record where none can be written', async () => {
  writeFileSync(recordFile(), '');
  const files = await VerifiedFiles.open(recordFile());
  files.add('1:2:3:4:5', HASH);
  await files.save();
  expect(files.has('1:2:3:4:5', HASH)).toBe(true);
});
