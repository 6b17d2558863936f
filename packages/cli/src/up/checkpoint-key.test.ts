import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkpointKey } from './checkpoint-key.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'expertmesh-key-'));
  writeFileSync(join(dir, 'config.json'), '{}');
  writeFileSync(join(dir, 'model.safetensors'), 'weights');
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

describe('checkpointKey', () => {
  it('counts the bytes of the weights alone', async () => {
    expect((await checkpointKey(dir)).weightBytes).toBe(7);
  });

  it('stays the same when a file is written again with the same content', async () => {
    const before = await checkpointKey(dir);
    writeFileSync(join(dir, 'model.safetensors'), 'weights');
    expect(await checkpointKey(dir)).toEqual(before);
  });

  it('changes with the content of a file, and not with files that are not the model', async () => {
    const { key } = await checkpointKey(dir);
    writeFileSync(join(dir, 'README.md'), 'a model card');
    expect((await checkpointKey(dir)).key).toBe(key);
    writeFileSync(join(dir, 'model.safetensors'), 'weighty');
    expect((await checkpointKey(dir)).key).not.toBe(key);
  });
});
