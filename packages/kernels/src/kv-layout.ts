import { type KvDtype } from '@expertmesh/shared/config/kv-dtype';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';

/** Tokens of a block. */
export const BLOCK_TOKENS = 32;

/** Tokens whose keys stand side by side: a vector of them is a vector of scores. */
export const KEY_TOKENS = 8;

const ELEMENT_BYTES = { fp32: 4, fp16: 2, int8: 1 } as const satisfies Record<KvDtype, number>;
const SCALE_BYTES = 4;

/** The sizes of a model that its KV cache has. */
export type KvGeometry = Pick<ModelSpec, 'numLayers' | 'numKvHeads' | 'headDim'>;

/**
 * What a block of the KV cache contains: for each layer and in it for each KV head the keys [4, head_dim, 8 tokens],
 * the values [32 tokens, head_dim] and, in int8, the scales of keys and of values, fp32 [32] each. Nothing in it
 * depends on where it lies, so that a block can be shared, copied and kept on disk as bytes.
 * `native/core/kv-layout.hpp` says the same.
 *
 * Every layer keeps every token here. A sliding window, or a layer with a recurrent state, is another kind of block
 * beside this one, with a layout of its own; nothing but this file and what reads it (KvMemory, the kernels) knows what
 * is in a block.
 */
export interface KvLayout extends KvGeometry {
  readonly dtype: KvDtype;
  readonly elementBytes: number;
  /** Keys and values of one KV head of one layer, with their scales. */
  readonly headBytes: number;
  readonly blockBytes: number;
}

export function kvLayout({ numLayers, numKvHeads, headDim }: KvGeometry, dtype: KvDtype): KvLayout {
  const elementBytes = ELEMENT_BYTES[dtype];
  const headBytes = 2 * BLOCK_TOKENS * (headDim * elementBytes + (dtype === 'int8' ? SCALE_BYTES : 0));
  return {
    dtype,
    numLayers,
    numKvHeads,
    headDim,
    elementBytes,
    headBytes,
    blockBytes: numLayers * numKvHeads * headBytes,
  };
}

/** Memory of 32 tokens in all layers. */
export function kvBlockBytes(geometry: KvGeometry, dtype: KvDtype): number {
  return kvLayout(geometry, dtype).blockBytes;
}

export function kvBytesPerToken(geometry: KvGeometry, dtype: KvDtype): number {
  return kvBlockBytes(geometry, dtype) / BLOCK_TOKENS;
}

/** Blocks that hold `numTokens` tokens. */
export function blocksOf(numTokens: number): number {
  return Math.ceil(numTokens / BLOCK_TOKENS);
}

/** Where a head's keys start in a block, in bytes. */
export function keysOffset({ numKvHeads, headBytes }: KvLayout, layerIndex: number, kvHead: number): number {
  return (layerIndex * numKvHeads + kvHead) * headBytes;
}

/** Where a head's values start, from the start of its keys, in bytes. */
export function valuesOffset({ headDim, elementBytes }: KvLayout): number {
  return BLOCK_TOKENS * headDim * elementBytes;
}

/** Where the scales of a head's keys start, from the start of its keys, in bytes; those of its values follow. */
export function scalesOffset(layout: KvLayout): number {
  return 2 * valuesOffset(layout);
}

/** Where an element of a token's key is among the block's keys of that head, in elements. */
export function keyIndex({ headDim }: KvLayout, token: number, dim: number): number {
  return (Math.floor(token / KEY_TOKENS) * headDim + dim) * KEY_TOKENS + (token % KEY_TOKENS);
}
