import { readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { BlockFiles } from './block-files.js';

const BLOCK_BYTES = 100;
const FILE_BYTES = BLOCK_BYTES + 40;
const bytesOf = (value: number): Uint8Array => new Uint8Array(BLOCK_BYTES).fill(value);
const name = (value: number): string => String(value).padStart(32, '0');

const open = (dir: string, maxBytes = 1e6, identity = 'store'): BlockFiles =>
  new BlockFiles({ dir, maxBytes, identity });

const filesIn = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.includes('.kv'))
    .sort();

describe('BlockFiles', () => {
  it('gives back what was written, also after a restart', () => {
    const dir = tempDir();
    expect(open(dir).write(name(1), bytesOf(1))).toEqual([]);
    const again = open(dir);
    expect(again.prefixes()).toEqual([name(1)]);
    expect(again.read(name(1))).toEqual(bytesOf(1));
    expect(again.read(name(2))).toBeUndefined();
  });

  it('sees no blocks of another store or dtype', () => {
    const dir = tempDir();
    open(dir).write(name(1), bytesOf(1));
    expect(open(dir, 1e6, 'other').prefixes()).toEqual([]);
  });

  it('deletes what was used the longest time ago, of any identity, before it has too much', () => {
    const dir = tempDir();
    open(dir, 1e6, 'other').write(name(9), bytesOf(9));
    const files = open(dir, 3 * FILE_BYTES);
    expect(files.write(name(1), bytesOf(1))).toEqual([]);
    expect(files.write(name(2), bytesOf(2))).toEqual([]);
    expect(files.write(name(3), bytesOf(3))).toEqual([]);
    expect(filesIn(dir)).toHaveLength(3);
    files.read(name(1));
    expect(files.write(name(4), bytesOf(4))).toEqual([name(2)]);
    expect(files.prefixes().sort()).toEqual([1, 3, 4].map(name));
  });

  it('knows after a restart what was used last, and keeps to a smaller bound', () => {
    const dir = tempDir();
    const files = open(dir);
    for (const value of [1, 2, 3]) files.write(name(value), bytesOf(value));
    for (const [index, path] of filesIn(dir).entries()) utimesSync(join(dir, path), index, 1000 - index);
    expect(
      open(dir, 2 * FILE_BYTES)
        .prefixes()
        .sort(),
    ).toEqual([1, 2].map(name));
  });

  it.each([
    ['torn', (file: Buffer) => file.subarray(0, 90)],
    ['empty', () => Buffer.alloc(0)],
    ['changed', (file: Buffer) => Buffer.concat([file.subarray(0, -1), Buffer.of((file.at(-1) ?? 0) ^ 1)])],
    ['longer', (file: Buffer) => Buffer.concat([file, Buffer.of(0)])],
  ])('deletes a file that is %s and gives nothing', (_, spoil) => {
    const dir = tempDir();
    const files = open(dir);
    files.write(name(1), bytesOf(1));
    const path = join(dir, filesIn(dir)[0] ?? '');
    writeFileSync(path, spoil(readFileSync(path)));
    expect(files.read(name(1))).toBeUndefined();
    expect(filesIn(dir)).toEqual([]);
  });

  it('gives no block under another name', () => {
    const dir = tempDir();
    const files = open(dir);
    files.write(name(1), bytesOf(1));
    files.write(name(2), bytesOf(2));
    const [first = '', second = ''] = filesIn(dir);
    writeFileSync(join(dir, second), readFileSync(join(dir, first)));
    expect(files.read(name(2))).toBeUndefined();
  });

  it('deletes what was being written when a process died', () => {
    const dir = tempDir();
    open(dir).write(name(1), bytesOf(1));
    const [path = ''] = filesIn(dir);
    writeFileSync(join(dir, `${path}.tmp`), 'half');
    open(dir);
    expect(filesIn(dir)).toEqual([path]);
  });
});
