import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PRESET_CONFIGS } from '@expertmesh/shared/expert-store/synth/presets';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { probeProviders } from './provider-probe.js';

const geometry = { spec: parseModelSpec(PRESET_CONFIGS.demo), quantisation: { bits: 4, blockSize: 32 } } as const;
const options = { numThreads: 1, timeoutMs: 10_000 };

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'expertmesh-test-'));
  vi.stubEnv('TMPDIR', dir);
  vi.stubEnv('TEMP', dir);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

describe('probeProviders', () => {
  it('ends when it is aborted, and leaves nothing behind', async () => {
    const abort = new AbortController();
    const probing = probeProviders(['cpu'], geometry, { ...options, signal: abort.signal });
    expect(readdirSync(dir)).toHaveLength(1);
    abort.abort();
    await expect(probing).rejects.toBe(abort.signal.reason);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('says what to do when its model cannot be written', async () => {
    rmSync(dir, { recursive: true });
    await expect(probeProviders(['cpu'], geometry, options)).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringMatching(
        /cannot be written to .* \(ENOENT.*\): free space there, or name another/,
      ) as string,
    });
  });
});
