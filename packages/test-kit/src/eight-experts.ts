import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';

/** A store of two layers of eight experts, 1000 bytes each, that has no files. */
export const eightExperts: ExpertStore = {
  dir: '/store',
  storeId: 'ab12',
  spec: parseModelSpec({
    model_type: 'qwen3_moe',
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    num_experts: 8,
    num_experts_per_tok: 2,
    moe_intermediate_size: 32,
    intermediate_size: 32,
    vocab_size: 10,
    max_position_embeddings: 64,
  }),
  quantisation: { bits: 32 },
  manifest: { formatVersion: 1, modelConfig: {}, quantisation: { bits: 32 }, blobs: [], files: [] },
  blob: (path) => ({ path, sizeBytes: 1000, sha256: '' }),
  requireBlobFile: (path) => Promise.resolve(path),
};
