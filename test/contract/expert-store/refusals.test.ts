import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { packCheckpoint, type PackOptions } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { type FileTensorWithBytes } from '@expertmesh/test-kit/safetensors-files';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { TINY_CONFIG, tinyTensors, writeShardedCheckpoint, writeTinyCheckpoint } from './tiny-checkpoint.js';

const O_PROJ = 'model.layers.1.self_attn.o_proj.weight';

let dir: string;
beforeEach(() => {
  dir = tempDir();
});

const hfDir = (): string => join(dir, 'hf');

/** Packs what is in `hf` and expects a refusal that leaves nothing behind. */
async function expectRefused(message: string, options: Partial<PackOptions> = {}): Promise<void> {
  const before = readdirSync(dir);
  const packing = packCheckpoint({ hfDir: hfDir(), storeDir: join(dir, 'store'), bits: 4, numThreads: 2, ...options });
  await expect(packing).rejects.toThrow(message);
  expect(readdirSync(dir)).toEqual(before);
}

function withTensor(name: string, change: (tensor: FileTensorWithBytes) => FileTensorWithBytes[]): void {
  writeTinyCheckpoint(hfDir(), { tensors: tinyTensors().flatMap((t) => (t.name === name ? change(t) : [t])) });
}

describe('a checkpoint is refused, with nothing left behind,', () => {
  it('that lacks a tensor', async () => {
    withTensor(O_PROJ, () => []);
    await expectRefused(`lacks 1 tensors that the model needs (${O_PROJ})`);
  });

  it('with a tensor of another shape', async () => {
    withTensor(O_PROJ, (tensor) => [{ ...tensor, shape: [32, 128] }]);
    await expectRefused(
      `${O_PROJ} in ${join(hfDir(), 'model.safetensors')} has shape [32, 128], config.json asks for [64, 64]`,
    );
  });

  it('with tensors that have no place in the model', async () => {
    withTensor(O_PROJ, (tensor) => [tensor, { ...tensor, name: 'model.layers.2.self_attn.o_proj.weight' }]);
    await expectRefused('has 1 tensors of unknown use (model.layers.2.self_attn.o_proj.weight)');
  });

  it('with fused experts, by name', async () => {
    withTensor(O_PROJ, (tensor) => [tensor, { ...tensor, name: 'model.layers.0.mlp.experts.gate_up_proj' }]);
    await expectRefused('has the experts of a layer fused in model.layers.0.mlp.experts.gate_up_proj');
  });

  it('that is truncated', async () => {
    writeTinyCheckpoint(hfDir());
    truncateSync(join(hfDir(), 'model.safetensors'), 50_000);
    await expectRefused('model.safetensors is damaged: it is truncated');
  });

  it('that is cut within its header, or has no header', async () => {
    writeTinyCheckpoint(hfDir());
    truncateSync(join(hfDir(), 'model.safetensors'), 100);
    await expectRefused('the file has 100');
    truncateSync(join(hfDir(), 'model.safetensors'), 7);
    await expectRefused('it has only 7 bytes');
  });

  it('with overlapping offsets', async () => {
    const changeHeader = (entries: Record<string, { data_offsets: readonly [number, number] }>): unknown => {
      const entry = entries[O_PROJ];
      if (entry !== undefined) entry.data_offsets = [entry.data_offsets[0] - 2, entry.data_offsets[1] - 2];
      return entries;
    };
    writeTinyCheckpoint(hfDir(), { changeHeader });
    await expectRefused(`${O_PROJ} overlaps the tensor before it`);
  });

  it('of an unknown dtype', async () => {
    withTensor(O_PROJ, (tensor) => [{ ...tensor, dtype: 'F8_E5M2' }]);
    await expectRefused(`${O_PROJ} in ${join(hfDir(), 'model.safetensors')} has dtype F8_E5M2`);
  });

  it('of an unknown architecture', async () => {
    writeTinyCheckpoint(hfDir(), { config: { ...TINY_CONFIG, model_type: 'mixtral' }, tensors: tinyTensors() });
    await expectRefused('config.json asks for model_type = "mixtral"');
  });

  it('whose weights are not all numbers', async () => {
    for (const [bits, weight] of [
      [0x7fc0, 'NaN'],
      [0xff80, '-Infinity'],
    ] as const) {
      withTensor(O_PROJ, (tensor) => {
        const bytes = Uint8Array.from(tensor.bytes);
        new Uint16Array(bytes.buffer)[100] = bits;
        return [{ ...tensor, bytes }];
      });
      await expectRefused(
        `${O_PROJ} in ${join(hfDir(), 'model.safetensors')} has the weight ${weight}, which the store cannot hold`,
      );
    }
  });

  it('without config.json, without weights, or with a config that is no JSON', async () => {
    await expectRefused(`cannot read ${join(hfDir(), 'config.json')}`);
    writeTinyCheckpoint(hfDir());
    rmSync(join(hfDir(), 'model.safetensors'));
    await expectRefused(`cannot read ${join(hfDir(), 'model.safetensors')}`);
    writeFileSync(join(hfDir(), 'config.json'), '{');
    await expectRefused('config.json is damaged');
  });

  it('whose shards are incomplete or contradict the index', async () => {
    const tensors = tinyTensors();
    const shards = [tensors.slice(0, 5), tensors.slice(5)];
    writeShardedCheckpoint(hfDir(), shards, (weightMap) => ({
      ...weightMap,
      'model.norm.weight': 'model-3.safetensors',
    }));
    await expectRefused(`cannot read ${join(hfDir(), 'model-3.safetensors')}`);
    writeShardedCheckpoint(hfDir(), shards, (weightMap) => ({ ...weightMap, another: 'model-1.safetensors' }));
    await expectRefused('it lacks another, which model.safetensors.index.json says it has');
    writeShardedCheckpoint(hfDir(), shards, (weightMap) => ({ ...weightMap, another: '../model-1.safetensors' }));
    await expectRefused('is no name of a .safetensors file beside the index');
    writeShardedCheckpoint(hfDir(), [tensors.slice(0, 6), tensors.slice(5)]);
    await expectRefused(`is also in ${join(hfDir(), 'model-1.safetensors')}`);
  });
});

describe('options are refused', () => {
  beforeEach(() => {
    writeTinyCheckpoint(hfDir());
  });

  it('when the block size does not divide', async () => {
    await expectRefused('--block-size 64 does not divide 32, the input size of down; use 32', { blockSize: 64 });
  });

  it('when there are no blocks to have a size', async () => {
    await expectRefused('--block-size 32 has no meaning with --bits 16', { bits: 16, blockSize: 32 });
  });

  it('when the store exists', async () => {
    await packCheckpoint({ hfDir: hfDir(), storeDir: join(dir, 'store'), bits: 8 });
    await expectRefused('store exists: choose another path, or pass --force to replace it');
  });

  it('when another thing is in the place of the store, even by force', async () => {
    mkdirSync(join(dir, 'store'));
    writeFileSync(join(dir, 'store', 'letters.txt'), 'dear');
    await expectRefused('store exists and is no expert store: choose another path', { force: true });
    rmSync(join(dir, 'store'), { recursive: true });
    writeFileSync(join(dir, 'store'), '');
    await expectRefused('store exists and is no expert store', { force: true });
  });
});

describe('a full disk', () => {
  it('is seen before anything is written, to the byte', async () => {
    writeTinyCheckpoint(hfDir());
    let neededBytes = 0;
    for (let low = 0, high = 2 ** 24; low < high; neededBytes = low) {
      const middle = Math.floor((low + high) / 2);
      const packing = packCheckpoint({
        hfDir: hfDir(),
        storeDir: join(dir, `store-${String(middle)}`),
        bits: 4,
        numThreads: 1,
        freeSpaceBytes: () => Promise.resolve(middle),
      });
      const fits = await packing.then(
        () => true,
        () => false,
      );
      if (fits) high = middle;
      else low = middle + 1;
    }
    await expectRefused('free some, choose another disk, or use fewer bits', {
      freeSpaceBytes: () => Promise.resolve(neededBytes - 1),
    });
    const stored = execFileSync('du', [
      '-s',
      '--block-size=1',
      '--apparent-size',
      join(dir, `store-${String(neededBytes)}`),
    ]);
    expect(neededBytes).toBeGreaterThan(0.9 * Number(stored.toString().split('\t')[0]) - 100_000);
  });

  // A small disk needs a mount, which a user namespace allows in most places; where it does not, the test above
  // remains.
  it.runIf(canMount())(
    'that fills up on the way keeps what is finished, and packing goes on when there is room',
    () => {
      writeTinyCheckpoint(hfDir());
      mkdirSync(join(dir, 'small'));
      const packModule = import.meta.resolve('@expertmesh/shared/expert-store/pack/pack-checkpoint');
      const script = join(dir, 'pack.mjs');
      writeFileSync(
        script,
        `import { packCheckpoint } from ${JSON.stringify(packModule)};
       const [, , hfDir, storeDir] = process.argv;
       const options = { hfDir, storeDir, bits: 32, numThreads: 1, freeSpaceBytes: async () => Infinity };
       await packCheckpoint(options).then(
         (store) => console.log('resumed', store.numResumedBlobs),
         (error) => console.log(error.code, error.message),
       );`,
      );
      const pack = `${process.execPath} ${script} ${hfDir()} ${join(dir, 'small/store')}`;
      const shell =
        `mount -t tmpfs -o size=100k tmpfs ${join(dir, 'small')} && ${pack} && mount -o remount,size=8m ` +
        `${join(dir, 'small')} && ${pack}`;
      const { stdout, stderr } = spawnSync('unshare', ['--map-root-user', '--mount', 'sh', '-c', shell], {
        encoding: 'utf8',
      });
      expect(stderr).toBe('');
      const [first, second] = stdout.split('\n');
      expect(first).toMatch(/^resource_exhausted no space is left for .*bin: .*run the same command again to go on/);
      expect(second).toMatch(/^resumed [1-9]/);
    },
  );
});

function canMount(): boolean {
  const options = ['--map-root-user', '--mount', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt'];
  return spawnSync('unshare', options).status === 0;
}
