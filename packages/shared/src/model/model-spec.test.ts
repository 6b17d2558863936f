import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { moeLayerIndices, parseModelSpec } from './model-spec.js';

const demo = JSON.parse(
  readFileSync(new URL('../../../../models/qwen3-moe-demo/config.json', import.meta.url), 'utf8'),
) as Record<string, unknown>;

describe('parseModelSpec', () => {
  it('reads the demo model', () => {
    expect(parseModelSpec(demo)).toMatchObject({
      numLayers: 4,
      hiddenSize: 128,
      headDim: 32,
      numExperts: 128,
      topK: 8,
      normTopkProb: true,
      ropeTheta: 1_000_000,
      layerKinds: ['moe', 'moe', 'moe', 'moe'],
    });
  });

  it('follows mlp_only_layers and decoder_sparse_step', () => {
    const spec = parseModelSpec({ ...demo, num_hidden_layers: 6, mlp_only_layers: [3], decoder_sparse_step: 2 });
    expect(moeLayerIndices(spec)).toEqual([1, 5]);
  });

  it('takes head_dim from hidden_size where it is absent', () => {
    expect(parseModelSpec({ ...demo, head_dim: null }).headDim).toBe(16);
  });

  it('reads rope_theta from either form of the config', () => {
    const { rope_theta: _, ...rest } = demo;
    expect(parseModelSpec({ ...rest, rope_parameters: { rope_type: 'default', rope_theta: 5000 } }).ropeTheta).toBe(
      5000,
    );
  });

  it.each([
    [{ rope_scaling: { rope_type: 'yarn', factor: 4 } }, 'rope_scaling'],
    [{ rope_parameters: { rope_type: 'yarn', rope_theta: 1e6 } }, 'rope_parameters'],
    [{ use_sliding_window: true, sliding_window: 1024 }, 'use_sliding_window'],
    [{ layer_types: ['full_attention', 'sliding_attention'] }, 'layer_types'],
    [{ partial_rotary_factor: 0.5 }, 'partial_rotary_factor'],
    [{ model_type: 'llama' }, 'model_type'],
    [{ architectures: ['LlamaForCausalLM'] }, 'architectures'],
    [{ hidden_act: 'gelu' }, 'hidden_act'],
    [{ quantization_config: { quant_method: 'fp8' } }, 'quantization_config'],
  ])('refuses %j by name', (change, field) => {
    expect(() => parseModelSpec({ ...demo, ...change })).toThrow(field);
  });

  it.each([
    [{ hidden_size: 0 }, 'hidden_size'],
    [{ num_experts: undefined }, 'num_experts'],
    [{ num_key_value_heads: 3 }, 'num_key_value_heads (3)'],
    [{ num_experts_per_tok: 129 }, 'num_experts_per_tok (129)'],
    [{ head_dim: 31 }, 'head_dim must be an even integer, is 31'],
  ])('refuses the contradiction %j', (change, message) => {
    expect(() => parseModelSpec({ ...demo, ...change })).toThrow(message);
  });
});
