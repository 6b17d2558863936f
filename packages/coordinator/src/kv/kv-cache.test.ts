import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { describe, expect, it } from 'vitest';
import { KvCache, kvCacheBytes } from './kv-cache.js';

const spec = parseModelSpec({
  model_type: 'qwen3_moe',
  hidden_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 2,
  num_experts: 4,
  num_experts_per_tok: 2,
  moe_intermediate_size: 8,
  intermediate_size: 8,
  vocab_size: 8,
  max_position_embeddings: 1024,
});

const KV_SIZE = spec.numKvHeads * spec.headDim;
const row = (token: number): number[] => Array.from({ length: KV_SIZE }, (_, i) => token * 10 + i);

describe('KvCache', () => {
  it('keeps every token of every head in its place while it grows', () => {
    const cache = new KvCache(spec, 500);
    for (let token = 0; token < 500; token += 5) {
      const rows = Float32Array.from([0, 1, 2, 3, 4].flatMap((offset) => row(token + offset)));
      cache.reserve(5);
      for (let layer = 0; layer < spec.numLayers; layer++)
        cache.write(
          layer,
          rows,
          rows.map((x) => -x),
          0,
          5,
        );
      cache.advance(5);
    }
    expect(cache.length).toBe(500);
    for (let token = 0; token < 500; token++) {
      for (let head = 0; head < spec.numKvHeads; head++) {
        const at = (head * cache.capacity + token) * spec.headDim;
        const expected = row(token).slice(head * spec.headDim, (head + 1) * spec.headDim);
        expect([...cache.keys(1).subarray(at, at + spec.headDim)]).toEqual(expected);
        expect([...cache.values(0).subarray(at, at + spec.headDim)]).toEqual(expected.map((x) => -x));
      }
    }
  });

  it('never holds more than the bytes that were set aside for it', () => {
    for (const maxTokens of [1, 64, 65, 300, 777]) {
      const cache = new KvCache(spec, maxTokens);
      for (let token = 0; token < maxTokens; token++) {
        cache.reserve(1);
        cache.advance(1);
      }
      const held = [0, 1].reduce(
        (sum, layer) => sum + cache.keys(layer).byteLength + cache.values(layer).byteLength,
        0,
      );
      expect(held).toBeLessThanOrEqual(kvCacheBytes(spec, maxTokens));
    }
  });

  it('overwrites what a failed pass wrote, because nothing counts before advance', () => {
    const cache = new KvCache(spec, 64);
    cache.reserve(1);
    cache.write(0, Float32Array.from(row(9)), Float32Array.from(row(9)), 0, 1);
    cache.write(0, Float32Array.from(row(1)), Float32Array.from(row(1)), 0, 1);
    expect([...cache.keys(0).subarray(0, 2)]).toEqual([10, 11]);
  });
});
