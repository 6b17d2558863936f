import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HashingThread as BuiltHashingThread } from '@expertmesh/shared/expert-store/verification/hashing-thread';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HashingThread } from './hashing-thread.js';

const NEVER = new AbortController().signal;

let dir = '';
let file = '';

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hashing-thread-'));
  file = join(dir, 'blob');
  writeFileSync(file, 'weights');
});

afterEach(() => {
  rmSync(dir, { recursive: true });
});

describe('HashingThread', () => {
  it('hashes one file after another, also after one that cannot be read', async () => {
    const thread = new BuiltHashingThread();
    await expect(thread.hash(join(dir, 'missing'), NEVER)).rejects.toThrow('ENOENT');
    const { sha256 } = await thread.hash(file, NEVER);
    expect(sha256).toBe(createHash('sha256').update('weights').digest('hex'));
    await expect(thread.hash(file, AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
    await thread.close();
  });

  it('fails each file when its thread fails, and waits for no dead one', async () => {
    // Beside the sources there is no hash-thread.js, so every thread fails as it starts.
    const thread = new HashingThread();
    for (let count = 0; count < 2; count++)
      await expect(thread.hash(file, NEVER)).rejects.toThrow('Cannot find module');
    await thread.close();
  });
});
