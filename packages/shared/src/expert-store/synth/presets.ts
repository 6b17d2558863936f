/**
 * Geometries whose dummy-weight stores `synth` writes: the published config.json of each, without what changes nothing
 * here.
 */
export const SYNTH_PRESETS = ['qwen3-30b-a3b', 'qwen3-235b-a22b', 'demo'] as const;
export type SynthPreset = (typeof SYNTH_PRESETS)[number];

type ModelConfig = Readonly<Record<string, unknown>> & {
  readonly vocab_size: number;
  readonly num_hidden_layers: number;
  readonly max_position_embeddings: number;
  /** Also the first of the special tokens' ids. */
  readonly bos_token_id: number;
};

const QWEN3_MOE = {
  architectures: ['Qwen3MoeForCausalLM'],
  model_type: 'qwen3_moe',
  attention_bias: false,
  decoder_sparse_step: 1,
  hidden_act: 'silu',
  mlp_only_layers: [],
  norm_topk_prob: true,
  num_experts: 128,
  num_experts_per_tok: 8,
  rms_norm_eps: 1e-6,
  rope_scaling: null,
  rope_theta: 1_000_000,
  sliding_window: null,
  tie_word_embeddings: false,
  torch_dtype: 'bfloat16',
  use_sliding_window: false,
} as const;

const QWEN3_PUBLISHED = {
  ...QWEN3_MOE,
  bos_token_id: 151_643,
  eos_token_id: 151_645,
  head_dim: 128,
  max_position_embeddings: 40_960,
  num_key_value_heads: 4,
  vocab_size: 151_936,
} as const;

export const PRESET_CONFIGS: Readonly<Record<SynthPreset, ModelConfig>> = {
  'qwen3-30b-a3b': {
    ...QWEN3_PUBLISHED,
    hidden_size: 2048,
    intermediate_size: 6144,
    moe_intermediate_size: 768,
    num_attention_heads: 32,
    num_hidden_layers: 48,
  },
  'qwen3-235b-a22b': {
    ...QWEN3_PUBLISHED,
    hidden_size: 4096,
    intermediate_size: 12_288,
    moe_intermediate_size: 1536,
    num_attention_heads: 64,
    num_hidden_layers: 94,
  },
  demo: {
    ...QWEN3_MOE,
    bos_token_id: 2039,
    eos_token_id: 2041,
    head_dim: 32,
    hidden_size: 128,
    intermediate_size: 256,
    max_position_embeddings: 2048,
    moe_intermediate_size: 32,
    num_attention_heads: 8,
    num_hidden_layers: 4,
    num_key_value_heads: 2,
    vocab_size: 2048,
  },
};
