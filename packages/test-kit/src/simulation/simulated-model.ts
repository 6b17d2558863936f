import { type ExpertLoads } from '@expertmesh/shared/placement/expert-loads';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';

export const NUM_EXPERTS = 4;
export const TOP_K = 2;
export const LAYER_INDICES = [0, 1];
export const EXPERT_BYTES = 1_000;

/**
 * A model whose expert e answers a row with the e-th unit vector: what a layer call sums up counts the pairs of each
 * row by expert, so that one that is missing or counted twice shows.
 */
const spec = parseModelSpec({
  model_type: 'qwen3_moe',
  hidden_size: 8,
  num_hidden_layers: LAYER_INDICES.length,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  num_experts: NUM_EXPERTS,
  num_experts_per_tok: TOP_K,
  moe_intermediate_size: 8,
  intermediate_size: 8,
  vocab_size: 10,
  max_position_embeddings: 64,
});

export const HIDDEN_SIZE = spec.hiddenSize;

/** Its blobs are nowhere: workers of the simulation load without reading. */
export const simulatedStore: ExpertStore = {
  dir: '/simulated',
  storeId: '51b0a7ed51b0a7ed',
  spec,
  quantisation: { bits: 32 },
  manifest: { formatVersion: 1, modelConfig: {}, quantisation: { bits: 32 }, blobs: [], files: [] },
  blob: (path) => ({ path, sizeBytes: EXPERT_BYTES, sha256: '' }),
  requireBlobFile: (path) => Promise.resolve(path),
};

/** Every expert is used as much as every other. */
export const evenLoads: ExpertLoads = {
  numExperts: NUM_EXPERTS,
  topK: TOP_K,
  numSteps: 1,
  layers: LAYER_INDICES.map((layerIndex) => ({ layerIndex, tokens: new Float64Array(NUM_EXPERTS).fill(100) })),
};
