/** Paths of the blobs, relative to the store's directory and with forward slashes, as the manifest lists them. */
const index = (value: number): string => String(value).padStart(3, '0');

export const EMBEDDING_BLOB_PATH = 'dense/embedding.bin';
export const HEAD_BLOB_PATH = 'dense/head.bin';

export function denseLayerBlobPath(layerIndex: number): string {
  return `dense/layer-${index(layerIndex)}.bin`;
}

export function expertBlobPath(layerIndex: number, expertId: number): string {
  return `experts/layer-${index(layerIndex)}/expert-${index(expertId)}.bin`;
}
