import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { packCheckpoint } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { stopAll } from '@expertmesh/test-kit/process';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { packDemoStore, startWorker, type DemoStore } from './demo-worker.js';
import { writeTinyCheckpoint } from './expert-store/tiny-checkpoint.js';

const EXPERT = 'experts/layer-001/expert-003.bin';
const OTHER = 'experts/layer-002/expert-000.bin';
const TOKENIZER = 'tokenizer.json';

let whole: DemoStore;
let dir = '';

beforeAll(async () => {
  whole = await packDemoStore();
});

afterAll(stopAll);

beforeEach(() => {
  dir = join(tempDir(), 'store');
  cpSync(whole.dir, dir, { recursive: true });
});

function flipBit(path: string, root = dir, offset = 100): void {
  const bytes = readFileSync(join(root, path));
  bytes[offset] = (bytes[offset] ?? 0) ^ 1;
  writeFileSync(join(root, path), bytes);
}

/** `expertmesh store ARGS` with a record of verified files of its own. */
async function store(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, ['packages/cli/dist/main.js', 'store', ...args, '--cache-dir', tempDir()]);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, out, err };
}

const isWhole = (path: string): boolean => readFileSync(join(dir, path)).equals(readFileSync(join(whole.dir, path)));

describe('expertmesh store verify', () => {
  it('finds nothing wrong with what was packed', async () => {
    const { code, out } = await store('verify', dir);
    expect(out).toMatch(/is what was packed \(\d+ files, .* MB, store [0-9a-f]{64}\)\.\n$/);
    expect(code).toBe(0);
  });

  it('names what is damaged, missing and in excess, as JSON, and ends with 1', async () => {
    flipBit(EXPERT);
    flipBit(TOKENIZER);
    rmSync(join(dir, OTHER));
    writeFileSync(join(dir, 'experts/notes.txt'), '');
    const { code, out } = await store('verify', dir, '--json');
    const { faults, extra, storeId } = JSON.parse(out) as Record<string, unknown> & { faults: { path: string }[] };
    expect(faults.map(({ path, ...fault }) => [path, 'kind' in fault && fault.kind])).toEqual([
      [TOKENIZER, 'damaged'],
      [EXPERT, 'damaged'],
      [OTHER, 'missing'],
    ]);
    expect(extra).toEqual(['experts/notes.txt']);
    expect(storeId).toBe(whole.storeId);
    expect(code).toBe(1);
  });

  it('takes missing blobs for right on a disk that needs only some, and damaged ones never', async () => {
    rmSync(join(dir, OTHER));
    expect(await store('verify', dir, '--partial')).toMatchObject({ code: 0 });
    flipBit(EXPERT);
    expect(await store('verify', dir, '--partial')).toMatchObject({
      code: 1,
      out: expect.stringMatching(
        /^damaged {2}experts\/layer-001\/expert-003\.bin: .*\n.* has 1 wrong files of /,
      ) as string,
    });
  });

  it('is used wrongly without a directory, and fails on one that is no store', async () => {
    expect((await store('verify')).code).toBe(2);
    expect(await store('verify', tempDir())).toMatchObject({
      code: 1,
      err: expect.stringContaining('is not an expert store') as string,
    });
  });
});

describe('expertmesh store repair', () => {
  beforeEach(() => {
    flipBit(EXPERT);
    flipBit(TOKENIZER);
    rmSync(join(dir, OTHER));
  });

  const expectRepaired = async (from: string): Promise<void> => {
    const { code, out, err } = await store('repair', dir, '--from', from, '--json');
    expect(err).toBe('');
    expect((JSON.parse(out) as { mended: { path: string }[] }).mended.map(({ path }) => path)).toEqual([
      TOKENIZER,
      EXPERT,
      OTHER,
    ]);
    expect(code).toBe(0);
    for (const path of [EXPERT, TOKENIZER, OTHER]) expect(isWhole(path)).toBe(true);
    expect(await store('verify', dir)).toMatchObject({ code: 0, out: expect.not.stringContaining('extra') as string });
  };

  it('fetches from another directory', async () => {
    await expectRepaired(whole.dir);
  });

  it('fetches from a worker over gRPC', async () => {
    const { worker, controlPort } = await startWorker(whole);
    await expectRepaired(`127.0.0.1:${String(controlPort)}`);
    await worker.stop();
  });

  it('fetches over HTTP', async () => {
    const server = createServer(({ url = '' }, response) => {
      response.end(readFileSync(join(whole.dir, url.replace('/stores/demo/', ''))));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      await expectRepaired(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/stores/demo`);
    } finally {
      server.close();
    }
  });

  it('believes no source against its own manifest, and leaves the file as it was', async () => {
    const liar = join(tempDir(), 'store');
    cpSync(whole.dir, liar, { recursive: true });
    flipBit(EXPERT, liar, 200);
    const before = readFileSync(join(dir, EXPERT));
    const { code, err } = await store('repair', dir, '--from', liar);
    expect(err).toMatch(/nobody has experts\/layer-001\/expert-003\.bin as the manifest says .* with sha256/);
    expect(code).toBe(1);
    expect(readFileSync(join(dir, EXPERT)).equals(before)).toBe(true);
    expect((await store('verify', dir)).out).not.toContain('extra');
    expect(isWhole(OTHER)).toBe(true);
  });

  it('takes nothing from another store, and says so of text that names no source', async () => {
    const other = join(tempDir(), 'other');
    await packCheckpoint({ hfDir: writeTinyCheckpoint(tempDir()), storeDir: other, bits: 4, numThreads: 1 });
    expect((await store('repair', dir, '--from', other)).err).toMatch(/has store [0-9a-f]{64}, and store [0-9a-f]{64}/);
    expect((await store('repair', dir, '--from', 'no/such/dir')).err).toContain('no/such/dir is no source of a store');
    expect((await store('repair', dir, '--from', '127.0.0.1:1')).err).toContain('ECONNREFUSED');
    expect((await store('repair', dir)).code).toBe(2);
  });
});
