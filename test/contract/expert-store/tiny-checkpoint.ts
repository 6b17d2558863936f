import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeBf16, encodeFp16 } from '@expertmesh/shared/expert-store/half-precision';
import { planPack } from '@expertmesh/shared/expert-store/pack/plan';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { writeSafetensors, type FileTensorWithBytes } from '@expertmesh/test-kit/safetensors-files';

export const TINY_CONFIG = {
  architectures: ['Qwen3MoeForCausalLM'],
  model_type: 'qwen3_moe',
  head_dim: 16,
  hidden_size: 64,
  intermediate_size: 128,
  max_position_embeddings: 128,
  moe_intermediate_size: 32,
  norm_topk_prob: true,
  num_attention_heads: 4,
  num_experts: 4,
  num_experts_per_tok: 2,
  num_hidden_layers: 2,
  num_key_value_heads: 2,
  vocab_size: 96,
};

type Dtype = 'BF16' | 'F16' | 'F32';

/** The tensors of a model of this config, with reproducible weights. */
export function tinyTensors(config: object = TINY_CONFIG, dtype: Dtype = 'BF16'): FileTensorWithBytes[] {
  const needed = planPack(parseModelSpec(config), { bits: 32 }).flatMap(({ parts }) =>
    parts.flatMap((part) => part.sources),
  );
  const unique = [...new Map(needed.map((tensor) => [tensor.name, tensor])).values()];
  return unique.map(({ name, shape }, index) => ({ name, dtype, shape, bytes: weights(index, shape, dtype) }));
}

function weights(index: number, shape: readonly number[], dtype: Dtype): Uint8Array {
  const length = shape.reduce((product, dim) => product * dim, 1);
  const values = Float32Array.from({ length }, (_, i) => Math.sin(1 + index * 7.3 + i * 1.7) / 8);
  if (dtype === 'F32') return new Uint8Array(values.buffer);
  const halves = new Uint16Array(length);
  (dtype === 'BF16' ? encodeBf16 : encodeFp16)(values, halves);
  return new Uint8Array(halves.buffer);
}

export interface TinyCheckpoint {
  readonly config?: object;
  readonly tensors?: readonly FileTensorWithBytes[];
  readonly changeHeader?: Parameters<typeof writeSafetensors>[2];
}

/** Writes a checkpoint of one file. */
export function writeTinyCheckpoint(dir: string, { config, tensors, changeHeader }: TinyCheckpoint = {}): string {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config ?? TINY_CONFIG));
  writeSafetensors(join(dir, 'model.safetensors'), tensors ?? tinyTensors(config), changeHeader);
  return dir;
}

/** Writes a checkpoint of several shards with an index, which `changeIndex` may make lie. */
export function writeShardedCheckpoint(
  dir: string,
  shards: readonly (readonly FileTensorWithBytes[])[],
  changeIndex: (weightMap: Record<string, string>) => unknown = (weightMap) => weightMap,
): string {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'config.json'), JSON.stringify(TINY_CONFIG));
  const weightMap: Record<string, string> = {};
  for (const [index, tensors] of shards.entries()) {
    const fileName = `model-${String(index + 1)}.safetensors`;
    writeSafetensors(join(dir, fileName), tensors);
    for (const { name } of tensors) weightMap[name] = fileName;
  }
  writeFileSync(join(dir, 'model.safetensors.index.json'), JSON.stringify({ weight_map: changeIndex(weightMap) }));
  return dir;
}
