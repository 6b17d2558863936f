import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NEUTRAL_SAMPLING, readGenerationDefaults } from './generation-defaults.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'expertmesh-defaults-'));
});
afterEach(() => rm(dir, { recursive: true }));

const write = (config: unknown): Promise<void> =>
  writeFile(join(dir, 'generation_config.json'), JSON.stringify(config));

describe('readGenerationDefaults', () => {
  it('reads the demo model', async () => {
    expect(await readGenerationDefaults('models/qwen3-moe-demo')).toEqual({
      sampling: { ...NEUTRAL_SAMPLING, temperature: 0.6, topK: 20, topP: 0.95 },
      eosTokenIds: [2041, 2039],
    });
  });

  it('is greedy when the file says not to sample', async () => {
    await write({ do_sample: false, temperature: 0.6, eos_token_id: 7 });
    expect(await readGenerationDefaults(dir)).toMatchObject({ sampling: { temperature: 0 }, eosTokenIds: [7] });
  });

  it('is neutral without a file', async () => {
    expect(await readGenerationDefaults(dir)).toEqual({ sampling: NEUTRAL_SAMPLING, eosTokenIds: [] });
  });

  it('refuses values that make no sense, by name', async () => {
    await write({ top_p: 7 });
    await expect(readGenerationDefaults(dir)).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('top_p') as string,
    });
  });
});
