import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { packCheckpoint, type PackOptions } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { type WrittenStore } from '@expertmesh/shared/expert-store/writing/write-store';
import { ExpertmeshProcess, stopAll } from '@expertmesh/test-kit/process';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { writeTinyCheckpoint } from './tiny-checkpoint.js';
import { verifyBlobs } from './verify-blobs.js';

const DEMO_MODEL = join(import.meta.dirname, '../../../models/qwen3-moe-demo');

let dir: string;
beforeEach(() => {
  dir = tempDir();
});
afterEach(stopAll);

const storeDir = (): string => join(dir, 'store');
const partialDir = (): string => `${storeDir()}.partial`;

const pack = (options: Partial<PackOptions> = {}): Promise<WrittenStore> =>
  packCheckpoint({ hfDir: DEMO_MODEL, storeDir: storeDir(), bits: 8, numThreads: 2, ...options });

/** Starts the real command and waits until some of its 518 blobs are finished. */
async function startPacking(): Promise<ExpertmeshProcess> {
  const packing = ExpertmeshProcess.start(['pack', DEMO_MODEL, storeDir(), '--bits', '8', '--num-threads', '1']);
  const journal = join(partialDir(), 'journal.jsonl');
  const numFinished = (): number => (existsSync(journal) ? readFileSync(journal, 'utf8').split('\n').length - 2 : 0);
  await packing.until(() => numFinished() >= 20, 'has finished 20 blobs');
  return packing;
}

async function expectComplete(written: WrittenStore): Promise<void> {
  expect(written.numResumedBlobs).toBeGreaterThanOrEqual(20);
  expect(written.numResumedBlobs).toBeLessThan(518);
  expect(readdirSync(dir)).toEqual(['store']);
  const store = await openExpertStore(storeDir());
  await verifyBlobs(store);
  const whole = await pack({ storeDir: join(dir, 'whole') });
  expect(store.storeId).toBe((await openExpertStore(whole.storeDir)).storeId);
}

describe('packing', () => {
  it('goes on after kill -9, to the same store as without', async () => {
    await (await startPacking()).stop('SIGKILL');
    expect(existsSync(storeDir())).toBe(false);
    await expectComplete(await pack());
  });

  it('that is interrupted says how to go on, and exits with 1', async () => {
    const packing = await startPacking();
    expect(await packing.stop('SIGINT')).toBe(1);
    expect(packing.output).toContain(
      `What is finished waits in ${partialDir()}: run the same command again to go on, or delete that folder`,
    );
    expect(existsSync(storeDir())).toBe(false);
    await expectComplete(await pack());
  });

  it('refuses a second process at the same store', async () => {
    const packing = await startPacking();
    packing.child.kill('SIGSTOP');
    await expect(pack()).rejects.toThrow(`process ${String(packing.pid)} on`);
    packing.child.kill('SIGCONT');
    expect(await packing.exited()).toBe(0);
    expect(readdirSync(dir)).toEqual(['store']);
  });

  it('does not mix options, and starts anew by force', async () => {
    await (await startPacking()).stop('SIGKILL');
    await expect(pack({ bits: 4 })).rejects.toThrow(
      `${partialDir()} was begun with --bits 8 --block-size 32, now --bits 4 --block-size 32 is asked for: ` +
        'give the same options, or pass --force to start anew',
    );
    const written = await pack({ bits: 4, force: true });
    expect(written.numResumedBlobs).toBe(0);
    expect((await openExpertStore(storeDir())).quantisation).toEqual({ bits: 4, blockSize: 32 });
    expect(readdirSync(dir)).toEqual(['store']);
  });
});

describe('an abort', () => {
  /** Aborts as soon as the first weights are done. */
  async function interrupt(hfDir: string): Promise<void> {
    const abort = new AbortController();
    const onProgress = ({ doneBytes }: { doneBytes: number }): void => {
      if (doneBytes > 40_000) abort.abort();
    };
    const packing = pack({ hfDir, numThreads: 1, onProgress, signal: abort.signal });
    await expect(packing).rejects.toMatchObject({ code: 'cancelled' });
  }

  it('leaves work that only the same checkpoint takes up', async () => {
    const hfDir = writeTinyCheckpoint(join(dir, 'hf'));
    await interrupt(hfDir);
    utimesSync(join(hfDir, 'model.safetensors'), 1, 1);
    await expect(pack({ hfDir })).rejects.toThrow(
      `${partialDir()} was begun from another checkpoint, or its files have changed since`,
    );
    expect(existsSync(partialDir())).toBe(true);
  });

  it('before the start leaves nothing', async () => {
    await expect(pack({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
    expect(readdirSync(dir)).toEqual([]);
  });
});

describe('--force', () => {
  it('keeps the old store until the new one is complete', async () => {
    await pack();
    const { storeId } = await openExpertStore(storeDir());
    await expect(pack({ bits: 4, force: true, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect((await openExpertStore(storeDir())).storeId).toBe(storeId);
    await pack({ bits: 4, force: true });
    expect((await openExpertStore(storeDir())).quantisation.bits).toBe(4);
    expect(readdirSync(dir)).toEqual(['store']);
  });
});

it('an empty folder may become the store', async () => {
  mkdirSync(storeDir());
  await pack();
  expect((await openExpertStore(storeDir())).spec.numLayers).toBe(4);
});
