import { type ModelSpec } from '../../model/model-spec.js';
import { type Quantisation } from '../quantisation.js';
import { storeBlobs, type BlobContent, type StoreBlob } from '../store-blobs.js';

/** A checkpoint tensor that a blob needs, by its name in Hugging Face's Qwen3MoeForCausalLM. */
export interface NeededTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/** One part of a blob (a matrix, norm or bias of the layout): the rows of its sources, one source after another. */
export interface PartOf<Source> {
  /** As in blob-layout.ts, before quantisation splits it in two. */
  readonly name: string;
  readonly sources: readonly Source[];
}

/** A blob to write and what it is made of. */
export interface BlobPlan<Source> {
  readonly blob: StoreBlob;
  /** In the order of the layout. */
  readonly parts: readonly PartOf<Source>[];
}

/**
 * Says for every blob of the store which checkpoint tensors become which of its parts.
 *
 * @throws ExpertmeshError `invalid_argument` when the block size does not divide a matrix's input dimension.
 */
export function planPack(spec: ModelSpec, quantisation: Quantisation): BlobPlan<NeededTensor>[] {
  return storeBlobs(spec, quantisation).map((blob) => ({ blob, parts: partsOf(spec, blob.content) }));
}

type Part = PartOf<NeededTensor>;

const tensor = (name: string, ...shape: number[]): NeededTensor => ({ name, shape });
const part = (name: string, ...sources: NeededTensor[]): Part => ({ name, sources });

function partsOf(spec: ModelSpec, content: BlobContent): Part[] {
  switch (content.kind) {
    case 'embedding':
      return [part('embed', embedding(spec))];
    case 'head':
      return [
        part('final_norm', tensor('model.norm.weight', spec.hiddenSize)),
        part('lm_head', spec.tieWordEmbeddings ? embedding(spec) : tensor(LM_HEAD, spec.vocabSize, spec.hiddenSize)),
      ];
    case 'dense-layer':
      return denseLayerParts(spec, content.layerIndex);
    case 'expert':
      return mlpParts(
        `${layerPrefix(content.layerIndex)}.mlp.experts.${String(content.expertId)}`,
        spec.hiddenSize,
        spec.moeIntermediateSize,
      );
  }
}

/** Also the name under which some checkpoints with tied embeddings carry a second copy of the embedding. */
export const LM_HEAD = 'lm_head.weight';

const embedding = (spec: ModelSpec): NeededTensor =>
  tensor('model.embed_tokens.weight', spec.vocabSize, spec.hiddenSize);

const layerPrefix = (layerIndex: number): string => `model.layers.${String(layerIndex)}`;

function denseLayerParts(spec: ModelSpec, layerIndex: number): Part[] {
  const { hiddenSize, headDim } = spec;
  const layer = layerPrefix(layerIndex);
  const attention = `${layer}.self_attn`;
  const projections = [
    { name: 'q_proj', rows: spec.numHeads * headDim },
    { name: 'k_proj', rows: spec.numKvHeads * headDim },
    { name: 'v_proj', rows: spec.numKvHeads * headDim },
  ];
  const qkv = projections.map(({ name, rows }) => tensor(`${attention}.${name}.weight`, rows, hiddenSize));
  const qkvBias = projections.map(({ name, rows }) => tensor(`${attention}.${name}.bias`, rows));
  return [
    part('input_norm', tensor(`${layer}.input_layernorm.weight`, hiddenSize)),
    part('qkv', ...qkv),
    ...(spec.attentionBias ? [part('qkv_bias', ...qkvBias)] : []),
    part('q_norm', tensor(`${attention}.q_norm.weight`, headDim)),
    part('k_norm', tensor(`${attention}.k_norm.weight`, headDim)),
    part('o', tensor(`${attention}.o_proj.weight`, hiddenSize, spec.numHeads * headDim)),
    ...(spec.attentionBias ? [part('o_bias', tensor(`${attention}.o_proj.bias`, hiddenSize))] : []),
    part('post_norm', tensor(`${layer}.post_attention_layernorm.weight`, hiddenSize)),
    ...(spec.layerKinds[layerIndex] === 'moe'
      ? [part('router', tensor(`${layer}.mlp.gate.weight`, spec.numExperts, hiddenSize))]
      : mlpParts(`${layer}.mlp`, hiddenSize, spec.intermediateSize)),
  ];
}

function mlpParts(prefix: string, hiddenSize: number, intermediateSize: number): Part[] {
  return [
    part(
      'gate_up',
      tensor(`${prefix}.gate_proj.weight`, intermediateSize, hiddenSize),
      tensor(`${prefix}.up_proj.weight`, intermediateSize, hiddenSize),
    ),
    part('down', tensor(`${prefix}.down_proj.weight`, hiddenSize, intermediateSize)),
  ];
}
