import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { embeddingLayout } from '@expertmesh/shared/expert-store/blob-layout';
import { EmbeddingReader } from '@expertmesh/shared/expert-store/embedding-reader';
import { openExpertStore, type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { packCheckpoint } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { planPack } from '@expertmesh/shared/expert-store/pack/plan';
import { WEIGHT_BITS, type WeightBits } from '@expertmesh/shared/expert-store/quantisation';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { TINY_CONFIG, tinyTensors, writeShardedCheckpoint, writeTinyCheckpoint } from './tiny-checkpoint.js';
import { concatenate, readSource, readStoredPart } from './weights.js';
import { verifyBlobs } from './verify-blobs.js';

const DEMO_MODEL = join(import.meta.dirname, '../../../models/qwen3-moe-demo');

async function pack(hfDir: string, bits: WeightBits, numThreads = 2): Promise<ExpertStore> {
  const storeDir = join(tempDir(), 'store');
  await packCheckpoint({ hfDir, storeDir, bits, numThreads });
  return openExpertStore(storeDir);
}

describe.each(WEIGHT_BITS)('the demo model with %d bits', (bits) => {
  let store: ExpertStore;
  beforeAll(async () => {
    store = await pack(DEMO_MODEL, bits);
  });

  it('holds every weight as exactly as its type can', () => {
    const source = readSource(join(DEMO_MODEL, 'model.safetensors'));
    let squaredError = 0;
    let squaredWeights = 0;
    for (const { blob, parts } of planPack(store.spec, store.quantisation))
      for (const part of parts) {
        const expected = concatenate(part.sources.map(({ name }) => source(name)));
        const { values, scales } = readStoredPart(store, blob.path, blob.layout, part.name);
        if (values.length !== expected.length) expect.fail(`${blob.path} ${part.name} has another size`);
        for (const [i, value] of values.entries()) {
          const error = Math.abs(value - (expected[i] ?? NaN));
          // The demo model is BF16, so anything but blocks of 4 and 8 bits holds it exactly.
          const limit = scales === undefined ? 0 : bits === 8 ? 0.5001 * Math.abs(scales[i] ?? NaN) : Infinity;
          if (!(error <= limit)) expect.fail(`${blob.path} ${part.name}[${String(i)}] is off by ${String(error)}`);
          if (scales === undefined) continue;
          squaredError += error ** 2;
          squaredWeights += (expected[i] ?? NaN) ** 2;
        }
      }
    const relativeError = Math.sqrt(squaredError / squaredWeights);
    if (bits === 8) expect(relativeError).toBeLessThan(0.006);
    if (bits === 4) expect(relativeError).toBeLessThan(0.085);
  });

  it('has the hash of every blob, and the files beside them', async () => {
    await verifyBlobs(store);
    expect(store.manifest.files.map(({ path }) => path)).toEqual([
      'config.json',
      'generation_config.json',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
  });

  it('gives embedding rows by token id', () => {
    const embed = readSource(join(DEMO_MODEL, 'model.safetensors'))('model.embed_tokens.weight');
    const reader = new EmbeddingReader(store);
    const rows = new Float32Array(3 * 128);
    reader.readRows(Int32Array.of(2047, 0, 2047), rows);
    const last = embed.subarray(2047 * 128);
    expect(rows).toEqual(concatenate([last, embed.subarray(0, 128), last]));
    expect(() => {
      reader.readRows([2048], rows);
    }).toThrow('token id 2048 is not in the vocabulary of 2048 tokens');
    expect(() => {
      reader.readRows([1.5], rows);
    }).toThrow('token id 1.5 is not');
    expect(() => {
      reader.readRows([1, 2, 3, 4], rows);
    }).toThrow('4 rows do not fit');
    reader.close();
  });
});

describe('the same weights', () => {
  it('give the same store from one file or from shards, by one thread or several', async () => {
    const tensors = tinyTensors();
    const single = await pack(writeTinyCheckpoint(tempDir()), 4, 1);
    const sharded = await pack(writeShardedCheckpoint(tempDir(), [tensors.slice(20), tensors.slice(0, 20)]), 4, 3);
    expect(sharded.storeId).toBe(single.storeId);
  });

  it('stay F16 with 16 bits where the checkpoint is, and become BF16 from F32', async () => {
    const embedOf = async (dtype: 'F16' | 'F32'): Promise<[ExpertStore, Float32Array, Float32Array]> => {
      const hfDir = writeTinyCheckpoint(tempDir(), { tensors: tinyTensors(TINY_CONFIG, dtype) });
      const store = await pack(hfDir, 16);
      const layout = embeddingLayout(store.spec, store.quantisation);
      const source = readSource(join(hfDir, 'model.safetensors'))('model.embed_tokens.weight');
      return [store, readStoredPart(store, 'dense/embedding.bin', layout, 'embed').values, source];
    };
    const [half, halfValues, halfSource] = await embedOf('F16');
    expect(half.quantisation).toEqual({ bits: 16, dtype: 'F16' });
    expect(halfValues).toEqual(halfSource);
    const [full, fullValues, fullSource] = await embedOf('F32');
    expect(full.quantisation).toEqual({ bits: 16, dtype: 'BF16' });
    const relativeErrors = fullValues.map((value, i) => Math.abs(value / (fullSource[i] ?? NaN) - 1));
    expect(Math.max(...relativeErrors)).toBeLessThanOrEqual(2 ** -8);
  });
});

it('copies a tied embedding to the head, and ignores a second copy and rotary tables in the checkpoint', async () => {
  const config = { ...TINY_CONFIG, tie_word_embeddings: true };
  const tensors = tinyTensors(config);
  const [embed] = tensors;
  if (embed === undefined) throw new Error('no tensors');
  const rotary = { name: 'model.rotary_emb.inv_freq', dtype: 'F32', shape: [8], bytes: new Uint8Array(32) };
  const hfDir = writeTinyCheckpoint(tempDir(), {
    config,
    tensors: [...tensors, { ...embed, name: 'lm_head.weight' }, rotary],
  });
  const store = await pack(hfDir, 32);
  const source = readSource(join(hfDir, 'model.safetensors'));
  const head = planPack(store.spec, store.quantisation).find(({ blob }) => blob.content.kind === 'head');
  if (head === undefined) throw new Error('no head');
  const { values } = readStoredPart(store, head.blob.path, head.blob.layout, 'lm_head');
  expect(values).toEqual(source('model.embed_tokens.weight'));
});
