import { type ModelSpec } from '../model/model-spec.js';
import { requireDivisible, type Quantisation } from './quantisation.js';

/** Tensors start on page borders, so that a mapped file can be used in place. */
export const PAGE_BYTES = 4096;

export type StoredDtype = 'F32' | 'BF16' | 'F16' | 'U8';

/** Where one tensor lies in its blob. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** The tensors of one blob file, in file order; sizeBytes is the size of the whole file. */
export interface BlobLayout {
  readonly tensors: readonly StoredTensor[];
  readonly sizeBytes: number;
}

/** A tensor before it has a place: matrices `[out, in]` follow the store's quantisation, the rest is fp32. */
type Part =
  | { readonly kind: 'matrix'; readonly name: string; readonly shape: readonly [out: number, inputs: number] }
  | { readonly kind: 'fp32'; readonly name: string; readonly shape: readonly number[] };

const matrix = (name: string, out: number, inFeatures: number): Part => ({
  kind: 'matrix',
  name,
  shape: [out, inFeatures],
});
const fp32 = (name: string, ...shape: number[]): Part => ({ kind: 'fp32', name, shape });

/** One expert: `gate_up` [2 * intermediate, hidden] (gate rows first) and `down` [hidden, intermediate]. */
export function expertLayout(spec: ModelSpec, quantisation: Quantisation): BlobLayout {
  return place(quantisation, [
    matrix('gate_up', 2 * spec.moeIntermediateSize, spec.hiddenSize),
    matrix('down', spec.hiddenSize, spec.moeIntermediateSize),
  ]);
}

/**
 * All of a layer but its experts: `input_norm` [hidden], `qkv` [(heads + 2 * kv heads) * head_dim, hidden] (query rows,
 * then key, then value), `qkv_bias` and `o_bias` where the model has them, `q_norm` and `k_norm` [head_dim], `o`
 * [hidden, heads * head_dim], `post_norm` [hidden], and `router` [experts, hidden] (fp32) or, in a layer without
 * experts, `gate_up` and `down`.
 */
export function denseLayerLayout(spec: ModelSpec, quantisation: Quantisation, layerIndex: number): BlobLayout {
  const qkvRows = (spec.numHeads + 2 * spec.numKvHeads) * spec.headDim;
  const bias = (name: string, size: number): Part[] => (spec.attentionBias ? [fp32(name, size)] : []);
  return place(quantisation, [
    fp32('input_norm', spec.hiddenSize),
    matrix('qkv', qkvRows, spec.hiddenSize),
    ...bias('qkv_bias', qkvRows),
    fp32('q_norm', spec.headDim),
    fp32('k_norm', spec.headDim),
    matrix('o', spec.hiddenSize, spec.numHeads * spec.headDim),
    ...bias('o_bias', spec.hiddenSize),
    fp32('post_norm', spec.hiddenSize),
    ...(spec.layerKinds[layerIndex] === 'moe'
      ? [fp32('router', spec.numExperts, spec.hiddenSize)]
      : [
          matrix('gate_up', 2 * spec.intermediateSize, spec.hiddenSize),
          matrix('down', spec.hiddenSize, spec.intermediateSize),
        ]),
  ]);
}

/**
 * `embed` [vocab, hidden]: fp32 in a 32-bit store, else 16 bits. Rows are read one by one, so it is never
 * block-quantised.
 */
export function embeddingLayout(spec: ModelSpec, quantisation: Quantisation): BlobLayout {
  return placeAll([{ name: 'embed', dtype: embeddingDtype(quantisation), shape: [spec.vocabSize, spec.hiddenSize] }]);
}

/** `final_norm` [hidden] and `lm_head` [vocab, hidden] (a copy of the embedding where they are tied). */
export function headLayout(spec: ModelSpec, quantisation: Quantisation): BlobLayout {
  return place(quantisation, [fp32('final_norm', spec.hiddenSize), matrix('lm_head', spec.vocabSize, spec.hiddenSize)]);
}

/** Names of the two tensors that a block-quantised matrix becomes. */
export function quantisedName(name: string): string {
  return `${name}.q`;
}
export function scalesName(name: string): string {
  return `${name}.scales`;
}

function embeddingDtype(quantisation: Quantisation): StoredDtype {
  if (quantisation.bits === 32) return 'F32';
  return quantisation.bits === 16 ? quantisation.dtype : 'BF16';
}

type Unplaced = Pick<StoredTensor, 'name' | 'dtype' | 'shape'>;

function place(quantisation: Quantisation, parts: readonly Part[]): BlobLayout {
  return placeAll(parts.flatMap((part) => (part.kind === 'fp32' ? [asFp32(part)] : asStored(quantisation, part))));
}

const asFp32 = (part: Part): Unplaced => ({ name: part.name, dtype: 'F32', shape: part.shape });

// q: uint8 [out, in / block, block * bits / 8], low nibble first; scales: fp32 [out, in / block].
function asStored(quantisation: Quantisation, part: Part & { kind: 'matrix' }): Unplaced[] {
  const [out, inFeatures] = part.shape;
  if (quantisation.bits === 32) return [asFp32(part)];
  if (quantisation.bits === 16) return [{ name: part.name, dtype: quantisation.dtype, shape: part.shape }];
  requireDivisible(quantisation, inFeatures, part.name);
  const numBlocks = inFeatures / quantisation.blockSize;
  const blockBytes = (quantisation.blockSize * quantisation.bits) / 8;
  return [
    { name: quantisedName(part.name), dtype: 'U8', shape: [out, numBlocks, blockBytes] },
    { name: scalesName(part.name), dtype: 'F32', shape: [out, numBlocks] },
  ];
}

const DTYPE_BYTES: Record<StoredDtype, number> = { F32: 4, BF16: 2, F16: 2, U8: 1 };

function placeAll(unplaced: readonly Unplaced[]): BlobLayout {
  let endBytes = 0;
  const tensors = unplaced.map((tensor) => {
    const offsetBytes = Math.ceil(endBytes / PAGE_BYTES) * PAGE_BYTES;
    const sizeBytes = tensor.shape.reduce((product, dim) => product * dim, DTYPE_BYTES[tensor.dtype]);
    endBytes = offsetBytes + sizeBytes;
    return { ...tensor, offsetBytes, sizeBytes };
  });
  return { tensors, sizeBytes: endBytes };
}
