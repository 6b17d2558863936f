import { z } from 'zod';
import { ExpertmeshError } from '../errors/expertmesh-error.js';

/** What follows attention in a layer: a mixture of experts, or one ordinary MLP. */
export type LayerKind = 'moe' | 'mlp';

/** The architecture of a Qwen3-MoE model: every field that changes the arithmetic, and nothing else. */
export interface ModelSpec {
  readonly numLayers: number;
  readonly hiddenSize: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  /** Size of one attention head; not necessarily hiddenSize / numHeads. */
  readonly headDim: number;
  readonly attentionBias: boolean;
  readonly numExperts: number;
  /** Experts per token. */
  readonly topK: number;
  /** Whether the top-k routing weights are scaled to sum to 1. */
  readonly normTopkProb: boolean;
  readonly moeIntermediateSize: number;
  /** Intermediate size of the layers of kind `mlp`. */
  readonly intermediateSize: number;
  readonly layerKinds: readonly LayerKind[];
  readonly vocabSize: number;
  readonly tieWordEmbeddings: boolean;
  readonly ropeTheta: number;
  readonly rmsNormEps: number;
  /** Longest sequence, prompt and answer together, in tokens. */
  readonly maxPositionEmbeddings: number;
}

const count = z.number().int().positive();

const configSchema = z.object({
  architectures: z.array(z.string()).optional(),
  model_type: z.string(),
  hidden_act: z.string().default('silu'),
  hidden_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count,
  head_dim: count.nullish(),
  attention_bias: z.boolean().default(false),
  num_experts: count.optional(),
  num_local_experts: count.optional(),
  num_experts_per_tok: count,
  norm_topk_prob: z.boolean().default(false),
  moe_intermediate_size: count,
  intermediate_size: count,
  mlp_only_layers: z.array(z.number().int().nonnegative()).nullish(),
  decoder_sparse_step: z.number().int().positive().default(1),
  vocab_size: count,
  tie_word_embeddings: z.boolean().default(false),
  rope_theta: z.number().positive().default(10_000),
  rope_scaling: z.unknown().optional(),
  rope_parameters: z.unknown().optional(),
  partial_rotary_factor: z.number().optional(),
  rms_norm_eps: z.number().positive().default(1e-6),
  max_position_embeddings: count,
  use_sliding_window: z.boolean().default(false),
  sliding_window: z.number().nullish(),
  layer_types: z.array(z.string()).nullish(),
  quantization_config: z.unknown().optional(),
});

type Config = z.infer<typeof configSchema>;

/**
 * Reads a Hugging Face `config.json` of model type `qwen3_moe`.
 *
 * @throws ExpertmeshError `invalid_argument` where a field is missing or contradicts another, `unimplemented` where a
 * field asks for arithmetic that is not supported: such a field is named, never ignored.
 */
export function parseModelSpec(config: unknown): ModelSpec {
  const parsed = configSchema.safeParse(config);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'config'}: ${issue.message}`);
    throw new ExpertmeshError('invalid_argument', `config.json is not a usable model config: ${issues.join('; ')}`);
  }
  const c = parsed.data;
  refuseUnsupported(c);
  const spec: ModelSpec = {
    numLayers: c.num_hidden_layers,
    hiddenSize: c.hidden_size,
    numHeads: c.num_attention_heads,
    numKvHeads: c.num_key_value_heads,
    headDim: c.head_dim ?? c.hidden_size / c.num_attention_heads,
    attentionBias: c.attention_bias,
    numExperts: numExperts(c),
    topK: c.num_experts_per_tok,
    normTopkProb: c.norm_topk_prob,
    moeIntermediateSize: c.moe_intermediate_size,
    intermediateSize: c.intermediate_size,
    layerKinds: layerKinds(c),
    vocabSize: c.vocab_size,
    tieWordEmbeddings: c.tie_word_embeddings,
    ropeTheta: ropeTheta(c),
    rmsNormEps: c.rms_norm_eps,
    maxPositionEmbeddings: c.max_position_embeddings,
  };
  refuseContradictions(spec);
  return spec;
}

// As in transformers' Qwen3MoeDecoderLayer: a layer is sparse unless it is listed, and only every n-th one.
function layerKinds(c: Config): LayerKind[] {
  const mlpOnly = new Set(c.mlp_only_layers ?? []);
  return Array.from({ length: c.num_hidden_layers }, (_, layerIndex) =>
    !mlpOnly.has(layerIndex) && (layerIndex + 1) % c.decoder_sparse_step === 0 ? 'moe' : 'mlp',
  );
}

// transformers 5 writes num_experts as num_local_experts; both are read.
function numExperts(c: Config): number {
  const num = c.num_experts ?? c.num_local_experts;
  if (num === undefined)
    throw new ExpertmeshError('invalid_argument', 'config.json is not a usable model config: num_experts is missing');
  return num;
}

// transformers 5 moved rope_theta into rope_parameters; both forms are read.
function ropeTheta(c: Config): number {
  const parameters = z.object({ rope_theta: z.number().positive() }).safeParse(c.rope_parameters);
  return parameters.success ? parameters.data.rope_theta : c.rope_theta;
}

function refuseUnsupported(c: Config): void {
  const refuse = (field: string, value: unknown, remedy: string): never => {
    throw new ExpertmeshError(
      'unimplemented',
      `config.json asks for ${field} = ${JSON.stringify(value)}, which is not supported: ${remedy}`,
    );
  };
  if (c.model_type !== 'qwen3_moe') refuse('model_type', c.model_type, 'only qwen3_moe models can be served');
  const architecture = c.architectures?.find((name) => name !== 'Qwen3MoeForCausalLM');
  if (architecture !== undefined) refuse('architectures', architecture, 'only Qwen3MoeForCausalLM can be served');
  if (c.hidden_act !== 'silu') refuse('hidden_act', c.hidden_act, 'only silu is supported');
  if (isScaledRope(c.rope_scaling)) refuse('rope_scaling', c.rope_scaling, 'use the model without context extension');
  if (isScaledRope(c.rope_parameters))
    refuse('rope_parameters', c.rope_parameters, 'only rope_type "default" is supported');
  if (c.partial_rotary_factor !== undefined && c.partial_rotary_factor !== 1)
    refuse('partial_rotary_factor', c.partial_rotary_factor, 'only 1 is supported');
  if (c.use_sliding_window) refuse('use_sliding_window', true, 'only full attention is supported');
  const layerType = c.layer_types?.find((type) => type !== 'full_attention');
  if (layerType !== undefined) refuse('layer_types', layerType, 'only full_attention is supported');
  if (c.quantization_config !== undefined && c.quantization_config !== null)
    refuse('quantization_config', c.quantization_config, 'start from the BF16 checkpoint; pack quantises it');
}

function isScaledRope(value: unknown): boolean {
  if (value === null || value === undefined) return false;
  const parsed = z.looseObject({ rope_type: z.string().optional(), type: z.string().optional() }).safeParse(value);
  if (!parsed.success) return true;
  return (parsed.data.rope_type ?? parsed.data.type ?? 'default') !== 'default';
}

function refuseContradictions(spec: ModelSpec): void {
  const refuse = (message: string): never => {
    throw new ExpertmeshError('invalid_argument', `config.json contradicts itself: ${message}`);
  };
  if (!Number.isInteger(spec.headDim) || spec.headDim % 2 !== 0)
    refuse(`head_dim must be an even integer, is ${String(spec.headDim)}`);
  if (spec.numHeads % spec.numKvHeads !== 0)
    refuse(
      `num_attention_heads (${String(spec.numHeads)}) must be a multiple of num_key_value_heads ` +
        `(${String(spec.numKvHeads)})`,
    );
  if (spec.topK > spec.numExperts)
    refuse(`num_experts_per_tok (${String(spec.topK)}) is more than num_experts (${String(spec.numExperts)})`);
}

/** Indices of the layers that have experts, ascending. */
export function moeLayerIndices(spec: ModelSpec): number[] {
  return spec.layerKinds.flatMap((kind, layerIndex) => (kind === 'moe' ? [layerIndex] : []));
}
