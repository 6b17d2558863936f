import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { acquireLock } from './staging-lock.js';

let dir = '';
let file = '';

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'staging-lock-'));
  file = join(dir, 'lock');
});

afterEach(() => {
  rmSync(dir, { recursive: true });
});

it('keeps a second holder out until it is released', () => {
  const release = acquireLock(file);
  expect(() => acquireLock(file)).toThrow(`process ${String(process.pid)} on ${hostname()} is writing this store`);
  release();
  acquireLock(file)();
  expect(readdirSync(dir)).toEqual([]);
});

it('takes over the lock of a process that is gone', () => {
  const { pid } = spawnSync(process.execPath, ['--version']);
  symlinkSync(`${String(pid)}:1:${hostname()}`, file);
  const release = acquireLock(file);
  expect(readlinkSync(file)).toMatch(new RegExp(`^${String(process.pid)}:`));
  release();
});

it('is not fooled by another process with the same id', () => {
  symlinkSync(`${String(process.pid)}:0:${hostname()}`, file);
  acquireLock(file)();
});

it('does not judge a process of another host, and names the file to delete', () => {
  symlinkSync('1:1:elsewhere', file);
  expect(() => acquireLock(file)).toThrow(
    'process 1 on elsewhere is writing this store: wait for it or stop it; ' +
      `if it is not running any more, delete ${file}`,
  );
});
