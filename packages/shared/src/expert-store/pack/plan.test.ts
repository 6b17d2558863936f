import { describe, expect, it } from 'vitest';
import { parseModelSpec, type ModelSpec } from '../../model/model-spec.js';
import { PRESET_CONFIGS } from '../synth/presets.js';
import { planPack } from './plan.js';

const spec = (changes: object = {}): ModelSpec => parseModelSpec({ ...PRESET_CONFIGS.demo, ...changes });

function partsOfBlob(model: ModelSpec, path: string): Record<string, string[]> {
  const plan = planPack(model, { bits: 32 }).find(({ blob }) => blob.path === path);
  const parts = plan?.parts.map((part) => [
    part.name,
    part.sources.map(({ name, shape }) => `${name} ${shape.join('x')}`),
  ]);
  return Object.fromEntries(parts ?? []) as Record<string, string[]>;
}

describe('planPack', () => {
  it('makes an expert of its gate, up and down projections', () => {
    expect(partsOfBlob(spec(), 'experts/layer-002/expert-127.bin')).toEqual({
      gate_up: [
        'model.layers.2.mlp.experts.127.gate_proj.weight 32x128',
        'model.layers.2.mlp.experts.127.up_proj.weight 32x128',
      ],
      down: ['model.layers.2.mlp.experts.127.down_proj.weight 128x32'],
    });
  });

  it('stacks query, key and value, and takes the biases where the model has them', () => {
    const parts = partsOfBlob(spec({ attention_bias: true }), 'dense/layer-000.bin');
    const attention = 'model.layers.0.self_attn';
    expect(parts['qkv']).toEqual([
      `${attention}.q_proj.weight 256x128`,
      `${attention}.k_proj.weight 64x128`,
      `${attention}.v_proj.weight 64x128`,
    ]);
    expect(parts['qkv_bias']).toEqual([
      `${attention}.q_proj.bias 256`,
      `${attention}.k_proj.bias 64`,
      `${attention}.v_proj.bias 64`,
    ]);
    expect(parts['o_bias']).toEqual([`${attention}.o_proj.bias 128`]);
    expect(parts['router']).toEqual(['model.layers.0.mlp.gate.weight 128x128']);
  });

  it('takes the ordinary MLP of a layer without experts', () => {
    const model = spec({ mlp_only_layers: [1] });
    const parts = partsOfBlob(model, 'dense/layer-001.bin');
    expect(parts['router']).toBeUndefined();
    expect(parts['gate_up']).toEqual([
      'model.layers.1.mlp.gate_proj.weight 256x128',
      'model.layers.1.mlp.up_proj.weight 256x128',
    ]);
    expect(planPack(model, { bits: 32 }).some(({ blob }) => blob.path.startsWith('experts/layer-001'))).toBe(false);
  });

  it('copies the embedding to the head where they are tied', () => {
    expect(partsOfBlob(spec(), 'dense/head.bin')['lm_head']).toEqual(['lm_head.weight 2048x128']);
    expect(partsOfBlob(spec({ tie_word_embeddings: true }), 'dense/head.bin')['lm_head']).toEqual([
      'model.embed_tokens.weight 2048x128',
    ]);
  });

  it('gives every part of every layout its sources, whatever the quantisation', () => {
    for (const quantisation of [{ bits: 4, blockSize: 32 }, { bits: 16, dtype: 'BF16' }, { bits: 32 }] as const)
      for (const { blob, parts } of planPack(spec({ attention_bias: true, mlp_only_layers: [0] }), quantisation)) {
        const stored = new Set(blob.layout.tensors.map(({ name }) => name.replace(/\.(q|scales)$/, '')));
        expect(parts.map(({ name }) => name)).toEqual([...stored]);
        const numValues = (shape: readonly number[]): number => shape.reduce((product, dim) => product * dim, 1);
        if (quantisation.bits !== 32) continue;
        for (const [i, part] of parts.entries())
          expect(part.sources.reduce((sum, { shape }) => sum + numValues(shape), 0)).toBe(
            numValues(blob.layout.tensors[i]?.shape ?? []),
          );
      }
  });

  it('refuses a block size that does not divide a matrix, and says which would', () => {
    expect(() => planPack(spec(), { bits: 4, blockSize: 64 })).toThrow(
      '--block-size 64 does not divide 32, the input size of down; use 32',
    );
  });
});
