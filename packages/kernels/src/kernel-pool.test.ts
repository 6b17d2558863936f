import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { describeKernels } from '@expertmesh/test-kit/describe-kernels';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { loadKernels, whyNoKernels, type Kernels } from './kernels.js';
import { Linear } from './linear.js';

const SIZE = 64;

describeKernels('KernelPool', loadKernels() ?? whyNoKernels(), (kernels) => {
  it('computes calls in the order in which they were made', async () => {
    const pool = kernels.createPool({ numThreads: 2 });
    const linear = identity(kernels);
    const x = new Float32Array(2000 * SIZE).fill(1);
    const finished: number[] = [];
    const calls = Array.from({ length: 50 }, async (_, i) => {
      const y = new Float32Array(x.length);
      await linear.run(pool, x, y);
      expect(y.every((value) => value === 1)).toBe(true);
      finished.push(i);
    });
    await Promise.all(calls);
    expect(finished).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(pool.stats().linear.numCalls).toBe(50);
    expect(pool.stats().linear.seconds).toBeGreaterThan(0);
    await pool.close();
  });

  it('gives back the working memory of a large call, and keeps that of a small one', async () => {
    for (const isBlocking of [false, true]) {
      const pool = kernels.createPool({ numThreads: 2, isBlocking });
      const linear = identity(kernels);
      const run = (numRows: number): Promise<void> =>
        linear.run(pool, new Float32Array(numRows * SIZE), new Float32Array(numRows * SIZE));
      await run(100_000);
      expect(await pool.giveBack(2 ** 40)).toBeGreaterThan(100_000);
      expect(await pool.giveBack(1_000)).toBe(0);
      await run(8);
      const left = await pool.giveBack(1_000);
      expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThanOrEqual(1_000);
      expect(pool.stats().linear.numCalls).toBe(2);
      await pool.close();
    }
  });

  // A call may be over before this thread is given a core again, so it is repeated until a turn falls into one; a pool
  // that computed in this thread would never get there.
  it('leaves the event loop alone while it computes', async () => {
    const pool = kernels.createPool({ numThreads: 2 });
    const linear = identity(kernels);
    const x = new Float32Array(4000 * SIZE).fill(1);
    let isTurnDuringCall = false;
    while (!isTurnDuringCall) {
      let isUnderWay = true;
      const call = linear.run(pool, x, new Float32Array(x.length)).then(() => {
        isUnderWay = false;
      });
      await setImmediate();
      isTurnDuringCall = isUnderWay;
      await call;
    }
    await pool.close();
  });

  it('computes before it returns where it blocks, and says by the promise what went wrong', async () => {
    const pool = kernels.createPool({ numThreads: 2, isBlocking: true });
    const linear = identity(kernels);
    const x = new Float32Array(500 * SIZE).fill(3);
    const y = new Float32Array(x.length);
    const running = linear.run(pool, x, y);
    expect(y.every((value) => value === 3)).toBe(true);
    await running;
    await expect(linear.run(pool, x, new Float32Array(1))).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(pool.stats().linear.numCalls).toBe(1);
    await pool.close();
    await expect(linear.run(pool, x, y)).rejects.toMatchObject({ code: 'failed_precondition' });
  });

  it('finishes what was submitted before it closes, and refuses what comes after', async () => {
    const pool = kernels.createPool({ numThreads: 3, spinMicroseconds: 0 });
    const linear = identity(kernels);
    const x = new Float32Array(500 * SIZE).fill(2);
    const y = new Float32Array(x.length);
    const running = linear.run(pool, x, y);
    await Promise.all([pool.close(), pool.close()]);
    await running;
    expect(y.every((value) => value === 2)).toBe(true);
    await expect(linear.run(pool, x, y)).rejects.toMatchObject({ code: 'failed_precondition' });
  });

  it('refuses options that make no sense', () => {
    const create = (options: object): unknown => kernels.createPool({ numThreads: 1, ...options });
    expect(() => create({ numThreads: 0 })).toThrow(/numThreads is 0/);
    expect(() => create({ numThreads: 1e6 })).toThrow(/numThreads is 1000000/);
    expect(() => create({ numThreads: 1.5 })).toThrow(/integer/);
    expect(() => create({ spinMicroseconds: -1 })).toThrow(/integer/);
    expect(() => create({ isa: 'abacus' })).toThrow(/cannot run the kernels abacus; it can run .*portable/);
  });

  it('refuses matrices that do not lie in their file', () => {
    const file = identityFile(kernels);
    const good = { file: file.handle, bits: 32, out: SIZE, in: SIZE, weightsOffsetBytes: 0 } as const;
    const create = (changes: object): unknown => new Linear(kernels, { ...good, ...changes });
    create({});
    const pool = kernels.createPool({ numThreads: 1 });
    for (const changes of [
      { out: SIZE + 1 },
      { out: 0 },
      { in: -1 },
      { in: 2 ** 60 },
      { weightsOffsetBytes: 4 },
      { weightsOffsetBytes: 2 ** 53 },
      { weightsOffsetBytes: NaN },
      { bits: 16 },
      { bits: 4, blockSize: 48, scalesOffsetBytes: 0 },
      { bits: 4, blockSize: 32 },
      { bits: 4, blockSize: 32, scalesOffsetBytes: 2 },
      { bits: 8, blockSize: 32, scalesOffsetBytes: SIZE * SIZE * 4 - 4 },
      { file: {} },
      { file: undefined },
    ])
      expect(() => create(changes), JSON.stringify(changes)).toThrow(
        expect.objectContaining({ code: 'invalid_argument' }),
      );
    return pool.close();
  });

  it('measures how fast the memory is read and products are made', async () => {
    const pool = kernels.createPool({ numThreads: 2 });
    expect(await pool.readBandwidth(64 * 1024 * 1024)).toBeGreaterThan(1e8);
    expect(await pool.productPeak()).toBeGreaterThan(1e8);
    await pool.close();
  });

  it('survives a thread that ends in the middle of its calls', async () => {
    const module = new URL('../dist/kernels.js', import.meta.url).href;
    for (let i = 0; i < 5; i++) {
      const worker = new Worker(
        `const { loadKernels } = await import(${JSON.stringify(module)});
         const pool = loadKernels().createPool({ numThreads: 2 });
         const { parentPort } = await import('node:worker_threads');
         for (;;) {
           const calls = [1, 2, 3].map(() => pool.readBandwidth(2 ** 24));
           parentPort.postMessage(1);
           await Promise.all(calls);
         }`,
        { eval: true, execArgv: ['--input-type=module'] },
      );
      await new Promise<void>((resolve, reject) => {
        worker.once('message', () => {
          resolve();
        });
        worker.once('error', reject);
      });
      await worker.terminate();
    }
  });
});

function identityFile(kernels: Kernels): ReturnType<Kernels['mapFile']> {
  const weights = Float32Array.from({ length: SIZE * SIZE }, (_, i) => (i % (SIZE + 1) === 0 ? 1 : 0));
  const path = join(tempDir(), 'identity.bin');
  writeFileSync(path, new Uint8Array(weights.buffer));
  return kernels.mapFile(path);
}

const identity = (kernels: Kernels): Linear =>
  new Linear(kernels, { file: identityFile(kernels).handle, bits: 32, out: SIZE, in: SIZE, weightsOffsetBytes: 0 });
